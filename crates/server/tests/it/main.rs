//! Tests that start the real binary.
#![expect(clippy::unwrap_used, reason = "a test fails where its set-up does")]

mod api;
mod commands;
mod configuration;
mod directory;
mod e2e;
mod ephemeral;
mod forward_auth;
mod limits;
mod login;
mod people;
mod start;
mod stop;
mod support;
