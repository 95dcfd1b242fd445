//! Ours, as its documentation shows it.

use axum::Router;
use axum::routing::get;
use cloakroom::session::Error;
use cloakroom::{MIB, MemoryStore, Session, Sessions};

use super::control::untouched;
use crate::{COUNT, payload};

pub(super) fn router() -> Router {
    over(&Sessions::new(MemoryStore::reserve(256 * MIB)))
}

pub(super) async fn on_store(url: &str) -> Router {
    over(&cloakroom::connect(url).await.expect("the store"))
}

fn over(sessions: &Sessions) -> Router {
    Router::new()
        .route("/begin", get(begin))
        .route("/", get(untouched))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/update", get(update))
        .route("/new", get(new))
        .layer(sessions.layer())
}

async fn begin(session: Session) -> Result<&'static str, Error> {
    for (name, value) in payload() {
        session.insert(name, &value).await?;
    }
    Ok("begun")
}

async fn read(session: Session) -> Result<String, Error> {
    let count: Option<u64> = session.get(COUNT).await?;
    Ok(count.unwrap_or_default().to_string())
}

async fn write(session: Session) -> Result<String, Error> {
    let count: Option<u64> = session.get(COUNT).await?;
    let count = count.unwrap_or_default() + 1;
    session.insert(COUNT, &count).await?;
    Ok(count.to_string())
}

async fn update(session: Session) -> Result<String, Error> {
    let add = |count: Option<u64>| count.unwrap_or_default() + 1;
    Ok(session.update(COUNT, add).await?.to_string())
}

async fn new(session: Session) -> Result<String, Error> {
    session.insert(COUNT, &1).await?;
    Ok(1.to_string())
}
