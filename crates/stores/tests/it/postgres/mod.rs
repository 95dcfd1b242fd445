//! PostgreSQL: a real server, started by the tests.

mod conformance;
