//! The library as its users see it: axum, tower, and every scenario that a session layer should survive.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod allocations;
mod connect;
mod extract;
mod guard;
mod lag;
mod layer;
#[cfg(feature = "embedded")]
mod migrate;
mod model;
#[cfg(feature = "embedded")]
mod moving;
mod scenarios;
mod session;
mod support;
mod transports;
mod waiting;
