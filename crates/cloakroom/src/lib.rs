//! Web sessions for tower and axum: hand over your coat, keep the ticket.
//!
//! ```
//! use axum::{Router, routing::get};
//! use cloakroom::{MIB, MemoryStore, Session, Sessions, session};
//!
//! # fn main() {
//! let sessions = Sessions::new(MemoryStore::reserve(64 * MIB)); // or cloakroom::connect("embedded:./sessions").await?
//! let app = Router::new().route("/", get(visits)).layer(sessions.layer());
//! # let _: Router = app;
//! # }
//!
//! async fn visits(session: Session) -> Result<String, session::Error> { // session::Error: IntoResponse
//!     let n: u64 = session.update("visits", |n: Option<u64>| n.unwrap_or(0) + 1).await?; // committed when it returns; no increment lost
//!     Ok(format!("visit {n}"))
//! }
//! ```
//!
//! - [`Session`] is what handlers work with; [`Data`] is the same with types, [`Principal`] says who is signed in.
//! - [`Sessions::builder`] sets the [`Policy`], the cookie ([`CookieConfig`]) and the other [`Transports`].
//! - [`require_login`] and [`require_acr`] guard routes, [`CsrfLayer`] refuses forged forms.
//! - [`TestSessions`] is for your tests: a clock that you move, a browser without a network.
//! - [`connect`] opens a store by URL; a store of your own implements [`Store`], [`SubjectIndex`] and [`ReplayGuard`], and
//!   passes `cloakroom-conformance`.
//! - Without axum, any tower service finds its session in the request's extensions: [`Session::of`].
//!
//! The default cookie, `__Host-session`, needs https. For plain http on your own machine:
//!
//! ```
//! use cloakroom::{CookieConfig, MIB, MemoryStore, Sessions};
//!
//! let url = "http://127.0.0.1:3000".parse().unwrap();
//! let cookie = CookieConfig::for_origin(&url).unwrap();
//! let sessions = Sessions::builder(MemoryStore::reserve(64 * MIB)).cookie(cookie).build();
//! ```
//!
//! Features: `axum` (default) for the extractors, and one for each store: `embedded`, `files`, `sqlite`, `postgres`,
//! `mysql`, `redis`.

mod connect;
pub mod cookie;
pub mod csrf;
mod extract;
mod front;
mod guard;
mod layer;
pub mod migrate;
pub mod service;
pub mod session;
pub mod testing;
pub mod transport;

pub use connect::{
    ConnectError, Full, Opened, StoreUrl, StoreUrlError, connect, connect_builder, open_store,
    parse_size, store_url_shown,
};
pub use cookie::{CookieBuilder, CookieConfig, CookieError, SameSite};
pub use csrf::CsrfLayer;
pub use extract::{Data, Principal};
pub use guard::{Require, RequireService, require_acr, require_login};
pub use layer::{ResponseFuture, SessionLayer, SessionService};
pub use service::{Builder, Sessions};
pub use session::{Key, Name, Session};
pub use testing::TestSessions;
pub use transport::{Presented, Transport, Transports};

pub use cloakroom_core as core;
pub use cloakroom_core::lifecycle::Proof;
pub use cloakroom_core::store::memory::{MIB, MemoryStore};
pub use cloakroom_core::store::{ReplayGuard, Store, StoreError, SubjectIndex};
pub use cloakroom_core::{Policy, SessionId, SessionToken, Subject, SubjectLimit, Timestamp};
