//! Parts of `examples/memory_figures`, so that the test measures what the example shows.

#[path = "../../examples/memory_figures/flood.rs"]
pub(crate) mod flood;
#[path = "../../examples/memory_figures/process.rs"]
pub(crate) mod process;
#[path = "../../examples/memory_figures/sample.rs"]
#[expect(dead_code, reason = "the example needs more of it")]
pub(crate) mod sample;
