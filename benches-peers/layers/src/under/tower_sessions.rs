//! tower-sessions, as its documentation shows it.

use axum::Router;
use axum::routing::get;
use tower_sessions::session::Error;
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

use super::control::untouched;
use crate::{COUNT, payload};

pub(super) fn router() -> Router {
    Router::new()
        .route("/begin", get(begin))
        .route("/", get(untouched))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/update", get(write))
        .route("/new", get(new))
        .layer(SessionManagerLayer::new(MemoryStore::default()))
}

/// What its documentation's handlers do with an error is `unwrap`; a status costs no more.
fn failed(_: Error) -> http::StatusCode {
    http::StatusCode::INTERNAL_SERVER_ERROR
}

async fn begin(session: Session) -> Result<&'static str, http::StatusCode> {
    for (name, value) in payload() {
        session.insert(name, value).await.map_err(failed)?;
    }
    Ok("begun")
}

async fn read(session: Session) -> Result<String, http::StatusCode> {
    let count: Option<u64> = session.get(COUNT).await.map_err(failed)?;
    Ok(count.unwrap_or_default().to_string())
}

async fn write(session: Session) -> Result<String, http::StatusCode> {
    let count: Option<u64> = session.get(COUNT).await.map_err(failed)?;
    let count = count.unwrap_or_default() + 1;
    session.insert(COUNT, count).await.map_err(failed)?;
    Ok(count.to_string())
}

async fn new(session: Session) -> Result<String, http::StatusCode> {
    session.insert(COUNT, 1).await.map_err(failed)?;
    Ok(1.to_string())
}
