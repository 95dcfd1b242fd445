//! Web sessions for tower and axum: hand over your coat, keep the ticket.

mod front;
pub mod service;

pub use service::Sessions;
