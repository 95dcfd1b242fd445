//! Scenarios that every session layer should survive (PEERS.md, end), each by its name. The one about a database's time
//! zone belongs to the SQL stores.

mod identity;
mod races;
mod stored;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use cloakroom::core::store::{ErrorKind, Scope};
use cloakroom::{Session, SessionToken, session};
use cloakroom_conformance::{Fault, Gate, Operation, Target};
use tokio::sync::Notify;

use crate::support::{Shaky, shaky, soon};

type Outcome<T> = Result<T, session::Error>;

async fn read(session: Session) -> Outcome<String> {
    let mut all: Vec<String> = Vec::new();
    for name in ["a", "b"] {
        if let Some(value) = session.get::<String>(name).await? {
            all.push(format!("{name}={value}"));
        }
    }
    Ok(format!(
        "{:?} {}",
        session.subject().map(|subject| subject.to_string()),
        all.join(" ")
    ))
}

async fn set_a(session: Session) -> Outcome<()> {
    session.insert("a", "1").await
}

async fn set_b(session: Session) -> Outcome<()> {
    session.insert("b", "2").await
}

async fn logout(session: Session) -> Outcome<()> {
    session.end().await
}

async fn login_as(session: &Session, who: &str) -> Outcome<()> {
    session.authenticate(who).await
}

fn routes() -> Router {
    Router::new()
        .route("/", get(read))
        .route("/a", post(set_a))
        .route("/b", post(set_b))
        .route("/logout", post(logout))
        .route(
            "/alice",
            post(async |session: Session| login_as(&session, "alice").await),
        )
        .route(
            "/bob",
            post(async |session: Session| login_as(&session, "bob").await),
        )
        .route("/public", get(async || "hello"))
}

async fn rows(shaky: &Shaky) -> usize {
    shaky
        .sessions
        .list(Scope::Everything, None, 100)
        .await
        .unwrap()
        .records
        .len()
}
