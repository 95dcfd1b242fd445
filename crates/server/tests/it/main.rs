//! Tests that start the real binary.

mod commands;
mod configuration;
mod ephemeral;
mod limits;
mod start;
mod stop;
mod support;
