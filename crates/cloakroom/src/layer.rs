//! The tower layer: finds the presented token, lends the handler a [`Session`](crate::Session), and closes it before the
//! response leaves.

mod future;
mod problem;
mod reply;
mod service;

pub use future::ResponseFuture;
pub(crate) use problem::{Problem, refuse};
pub(crate) use reply::vary;
pub use service::{SessionLayer, SessionService};
