//! PostgreSQL: a real server, started by the tests.

pub(crate) mod conformance;
