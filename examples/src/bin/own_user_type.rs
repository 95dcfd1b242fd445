//! Your own user type as an extractor, and your own data as a type: `cargo run -p cloakroom-examples --bin own_user_type`,
//! then open <http://127.0.0.1:3000/>.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Router, routing};
use cloakroom::{Data, MIB, MemoryStore, Principal, Session, Sessions, session};
use cloakroom_examples::{loopback_cookie, serve};
use serde::{Deserialize, Serialize};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = MemoryStore::reserve(64 * MIB);
    let sessions = Sessions::builder(store).cookie(loopback_cookie()?).build();
    Ok(serve(router(&sessions)).await?)
}

/// A row of your users' table. The session holds the subject alone, so a change here is seen by the next request.
#[derive(Debug, Clone)]
struct User {
    name: String,
    is_admin: bool,
}

/// Your users' table.
#[derive(Debug, Clone)]
struct Users(Arc<HashMap<String, User>>);

impl Users {
    fn sample() -> Self {
        let user = |name: &str, is_admin| {
            let name = name.to_owned();
            User { name, is_admin }
        };
        let rows = [("1", user("Alice", true)), ("2", user("Bob", false))];
        Self(Arc::new(
            rows.map(|(id, user)| (id.to_owned(), user)).into(),
        ))
    }
}

impl<S> FromRequestParts<S> for User
where
    Users: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        // 401 where nobody is signed in, 503 where the store is out of reach.
        let who = Principal::from_request_parts(parts, state)
            .await
            .map_err(IntoResponse::into_response)?;
        let Users(users) = Users::from_ref(state);
        let user = users.get(who.subject.as_str()).cloned();
        user.ok_or_else(|| StatusCode::FORBIDDEN.into_response())
    }
}

/// What the session remembers: each field is a name, and only changed fields are written.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cart {
    items: Vec<String>,
    note: String,
}

fn router(sessions: &Sessions) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/as/{id}", routing::post(sign_in))
        .route("/cart/{item}", routing::post(add))
        .route("/admin", get(admin))
        .with_state(Users::sample())
        .layer(sessions.layer())
}

async fn home(
    user: Option<Principal>,
    State(Users(users)): State<Users>,
    cart: Data<Cart>,
) -> String {
    let user = user.and_then(|who| users.get(who.subject.as_str()));
    let name = user.map_or("stranger", |user| &user.name);
    format!("hello {name}, your cart holds {:?}\n", cart.items)
}

/// For the example only: a real login looks at a proof first.
async fn sign_in(session: Session, Path(id): Path<String>) -> Result<Redirect, session::Error> {
    session.authenticate(id).await?;
    Ok(Redirect::to("/"))
}

async fn add(cart: Data<Cart>, Path(item): Path<String>) -> Result<Redirect, session::Error> {
    cart.update(|cart| cart.items.push(item.clone())).await?;
    Ok(Redirect::to("/"))
}

async fn admin(user: User) -> Result<String, StatusCode> {
    if user.is_admin {
        Ok(format!("{} may do everything\n", user.name))
    } else {
        Err(StatusCode::FORBIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use cloakroom::TestSessions;

    use super::*;

    #[tokio::test]
    async fn the_user_is_yours() {
        let sessions = TestSessions::new();
        let browser = sessions.client(router(&sessions));
        assert_eq!(browser.get("/admin").await.status(), 401);
        browser.post("/as/2").await;
        assert_eq!(browser.get("/admin").await.status(), 403);
        browser.post("/as/1").await;
        assert_eq!(
            browser.get("/admin").await.text(),
            "Alice may do everything\n"
        );
        browser.login("someone who was removed").await;
        assert_eq!(browser.get("/admin").await.status(), 403);
    }

    #[tokio::test]
    async fn a_cart_survives_the_login_but_not_the_next_person() {
        let sessions = TestSessions::new();
        let browser = sessions.client(router(&sessions));
        browser.post("/cart/coat").await;
        browser.post("/as/1").await;
        browser.post("/cart/hat").await;
        let expected = "hello Alice, your cart holds [\"coat\", \"hat\"]\n";
        assert_eq!(browser.get("/").await.text(), expected);
        browser.post("/as/2").await;
        assert_eq!(
            browser.get("/").await.text(),
            "hello Bob, your cart holds []\n"
        );
    }
}
