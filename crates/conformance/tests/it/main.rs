//! The suite's own tests: it passes a correct store, and each of its cases fails on a broken one.

mod faulty;
mod memory;
mod model;
mod mutants;
mod toy;
