//! Web sessions for tower and axum: hand over your coat, keep the ticket.

pub mod cookie;
pub mod csrf;
mod extract;
mod front;
mod guard;
mod layer;
pub mod service;
pub mod session;
pub mod transport;

pub use cookie::{CookieBuilder, CookieConfig, CookieError, SameSite};
pub use csrf::CsrfLayer;
pub use extract::{Data, Principal};
pub use guard::{Require, RequireService, require_acr, require_login};
pub use layer::{ResponseFuture, SessionLayer, SessionService};
pub use service::{Builder, Sessions};
pub use session::{Key, Name, Session};
pub use transport::{Presented, Transport, Transports};

pub use cloakroom_core as core;
pub use cloakroom_core::lifecycle::Proof;
pub use cloakroom_core::store::{ReplayGuard, Store, StoreError, SubjectIndex};
pub use cloakroom_core::{Policy, SessionId, SessionToken, Subject, SubjectLimit, Timestamp};
