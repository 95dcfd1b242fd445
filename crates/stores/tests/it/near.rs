//! The near cache.

mod conformance;
mod lag;
mod random;
mod told;
