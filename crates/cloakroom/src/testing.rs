//! For your tests: sessions in memory, a clock that you move, a browser without a network.
//!
//! ```
//! use axum::{Router, routing::get};
//! use cloakroom::{Principal, TestSessions};
//! use std::time::Duration;
//!
//! async fn hello(who: Principal) -> String {
//!     format!("hello {}", who.subject)
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let sessions = TestSessions::new();
//! let browser = sessions.client(Router::new().route("/", get(hello)).layer(sessions.layer()));
//! assert_eq!(browser.get("/").await.status(), 401);
//!
//! browser.login("alice").await;
//! assert_eq!(browser.get("/").await.text(), "hello alice");
//!
//! sessions.advance(Duration::from_secs(31 * 60)); // past the idle timeout
//! assert_eq!(browser.get("/").await.status(), 401);
//! # });
//! ```

#[cfg(feature = "axum")]
mod client;
mod sessions;

#[cfg(feature = "axum")]
pub use client::{Answer, Client};
pub use sessions::{TestClock, TestSessions};
