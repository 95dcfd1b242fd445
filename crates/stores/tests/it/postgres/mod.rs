//! PostgreSQL: a real server, started by the tests.

pub(crate) mod conformance;
mod faults;
mod kit;
mod nodes;
mod races;
mod setup;
mod tls;
