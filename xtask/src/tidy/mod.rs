//! `cargo xtask tidy`: rules of the house that no compiler checks.

mod check;
mod contract;
mod edges;
mod licences;
mod mask;
mod sources;
mod text;

pub(crate) use check::{Findings, check};
