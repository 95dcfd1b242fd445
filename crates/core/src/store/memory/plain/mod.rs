//! Everything under one lock.

mod account;
mod index;
mod ops;
mod registry;
mod state;

pub use registry::MemoryRegistry;
pub(super) use state::State;
