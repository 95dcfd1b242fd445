//! axum_session, as its documentation shows it, without a database.

use axum::Router;
use axum::routing::get;
use axum_session::{SessionConfig, SessionLayer, SessionNullPool, SessionStore};

use super::control::untouched;
use crate::{COUNT, payload};

type Session = axum_session::Session<SessionNullPool>;

pub(super) async fn router() -> Router {
    let store = SessionStore::<SessionNullPool>::new(None, SessionConfig::default()).await;
    let store = store.expect("there is no database that could fail");
    Router::new()
        .route("/begin", get(begin))
        .route("/", get(untouched))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/update", get(write))
        .route("/new", get(new))
        .layer(SessionLayer::new(store))
}

async fn begin(session: Session) -> &'static str {
    for (name, value) in payload() {
        session.set(name, value);
    }
    "begun"
}

async fn read(session: Session) -> String {
    session.get::<u64>(COUNT).unwrap_or_default().to_string()
}

async fn write(session: Session) -> String {
    let count = session.get::<u64>(COUNT).unwrap_or_default() + 1;
    session.set(COUNT, count);
    count.to_string()
}

async fn new(session: Session) -> String {
    session.set(COUNT, 1);
    1.to_string()
}
