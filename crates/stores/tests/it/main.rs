//! Tests of the stores: the contract, crashes, bounds.
#![expect(clippy::unwrap_used, reason = "in a test a panic is how it fails")]

mod conformance;
mod disk;
