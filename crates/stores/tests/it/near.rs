//! The near cache.

mod conformance;
mod lag;
mod postgres;
mod random;
mod redis;
mod told;
