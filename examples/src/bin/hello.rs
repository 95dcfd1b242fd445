//! Counts visits: `cargo run -p cloakroom-examples --bin hello`, then open <http://127.0.0.1:3000/> and reload.

use axum::{Router, routing::get};
use cloakroom::{MIB, MemoryStore, Session, Sessions, session};
use cloakroom_examples::{loopback_cookie, serve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = MemoryStore::reserve(64 * MIB);
    let sessions = Sessions::builder(store).cookie(loopback_cookie()?).build();
    Ok(serve(router(&sessions)).await?)
}

fn router(sessions: &Sessions) -> Router {
    Router::new()
        .route("/", get(visits))
        .layer(sessions.layer())
}

async fn visits(session: Session) -> Result<String, session::Error> {
    // Committed when it returns; of parallel visits, none is lost.
    let n: u64 = session
        .update("visits", |n: Option<u64>| n.unwrap_or(0) + 1)
        .await?;
    Ok(format!("visit {n}\n"))
}

#[cfg(test)]
mod tests {
    use cloakroom::TestSessions;

    use super::*;

    #[tokio::test]
    async fn each_browser_counts_its_own_visits() {
        let sessions = TestSessions::new();
        let (one, two) = (
            sessions.client(router(&sessions)),
            sessions.client(router(&sessions)),
        );
        assert_eq!(one.get("/").await.text(), "visit 1\n");
        assert_eq!(one.get("/").await.text(), "visit 2\n");
        assert_eq!(two.get("/").await.text(), "visit 1\n");
    }
}
