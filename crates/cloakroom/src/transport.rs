//! How a session token travels: where a request may carry one, and how a new one gets back to the client.

mod cookie_header;
mod read;
mod transports;

pub use read::Presented;
pub use transports::{Transport, Transports};
