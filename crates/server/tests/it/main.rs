//! Tests that start the real binary.
#![expect(clippy::unwrap_used, reason = "a test fails where its set-up does")]

mod api;
mod commands;
mod configuration;
mod ephemeral;
mod limits;
mod start;
mod stop;
mod support;
