//! The API for services, over HTTP against the real binary.

mod by_token;
pub(crate) mod client;
mod commands;
mod described;
mod full;
mod idempotency;
mod keys;
mod kill;
mod lists;
mod million;
mod parallel;
mod per_subject;
mod refusals;
mod sessions;
mod users;
