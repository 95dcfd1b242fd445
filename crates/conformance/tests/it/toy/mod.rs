//! A simple store of bytes behind one lock, correct or broken in one chosen way.

mod fixture;
mod flaw;
mod index;
mod registry;
mod state;
mod store;

pub(crate) use fixture::{ToyFixture, with_flaw};
pub(crate) use flaw::Flaw;
pub(crate) use store::Toy;
