//! The rules of Cloakroom, without I/O, clock or chance.
//!
//! Everything here takes the time and the random bytes it needs as arguments, so the same code runs live, in
//! property tests and in seeded simulation. The way of one request through this crate:
//! [`token`] (what the client holds) -> [`store`] (the contract that finds the [`record`]) ->
//! [`lifecycle::open`] (may it be used now?) -> [`change`] (what the request wants) ->
//! [`lifecycle::close`] (at most one write, at most one token).

pub mod change;
pub mod clock;
mod codec;
pub mod data;
pub mod grant;
pub mod lifecycle;
pub mod limits;
pub mod policy;
pub mod record;
pub mod store;
pub mod subject;
pub mod time;
pub mod token;

pub use change::{Change, Edit, Edits};
pub use data::{Data, JsonText};
pub use limits::{LimitError, Limits};
pub use policy::{Policy, SubjectLimit};
pub use record::{Activity, Device, Record, Security};
pub use store::{Loaded, Registry, ReplayGuard, Store, StoreError, SubjectIndex};
pub use subject::{App, Subject};
pub use time::Timestamp;
pub use token::{Secret, SecretHash, SessionId, SessionToken};
