//! Tests that start the real binary.
#![expect(clippy::unwrap_used, reason = "a test fails where its set-up does")]

mod account;
mod api;
mod commands;
#[cfg(feature = "completions")]
mod completions;
mod configuration;
mod directory;
mod e2e;
mod ephemeral;
mod forward_auth;
mod limits;
mod login;
mod people;
mod shared;
mod small_device;
mod start;
mod stop;
mod support;
#[cfg(feature = "tls")]
mod tls;
mod two_hosts;
