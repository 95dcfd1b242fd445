//! The session of one request, and everything that hands it to a handler.

mod close;
mod error;
mod flash;
mod handle;
mod name;
mod state;
mod update;
mod watch;

pub use error::Error;
pub use handle::Session;
pub use name::{AnyName, Key, Name};

pub(crate) use close::Closing;
pub(crate) use state::{Reply, Request, Way};
