//! Memory that overflows to disk.

mod conformance;
mod moves;
