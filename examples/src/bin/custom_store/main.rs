//! Sessions in a store of your own: `cargo run -p cloakroom-examples --bin custom_store`, then open
//! <http://127.0.0.1:3000/>.

#[cfg(test)]
mod contract;
mod store;

use axum::Router;
use axum::routing::get;
use cloakroom::{Session, Sessions, session};
use cloakroom_examples::{loopback_cookie, serve};
use store::MapStore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = Sessions::builder(MapStore::default())
        .cookie(loopback_cookie()?)
        .build();
    Ok(serve(router(&sessions)).await?)
}

fn router(sessions: &Sessions) -> Router {
    Router::new()
        .route("/", get(visits))
        .layer(sessions.layer())
}

async fn visits(session: Session) -> Result<String, session::Error> {
    let n: u64 = session
        .update("visits", |n: Option<u64>| n.unwrap_or(0) + 1)
        .await?;
    Ok(format!("visit {n}, kept in a map\n"))
}

#[cfg(test)]
mod tests {
    use cloakroom::testing::Client;

    use super::*;

    #[tokio::test]
    async fn the_map_remembers() {
        let sessions = Sessions::new(MapStore::default());
        let browser = Client::new(router(&sessions));
        assert_eq!(browser.get("/").await.text(), "visit 1, kept in a map\n");
        assert_eq!(browser.get("/").await.text(), "visit 2, kept in a map\n");
    }
}
