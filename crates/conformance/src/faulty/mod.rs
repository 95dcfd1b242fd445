//! A store that fails on command.

mod faults;
mod wrapper;

pub use faults::{Fault, Faults, Gate, Operation, Target};
pub use wrapper::Faulty;
