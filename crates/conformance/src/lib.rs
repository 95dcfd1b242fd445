//! The suite that every Cloakroom store passes, ours and others.
//!
//! A store proves the contract of `cloakroom_core::store` by a [`Fixture`] and one line:
//!
//! ```ignore
//! struct Mine { /* the store, its clock, its folder */ }
//! impl cloakroom_conformance::Fixture for Mine { /* … */ }
//! cloakroom_conformance::suite!(Mine);
//! ```
//!
//! That makes one test of each [case](cases()), called after the sentence it proves: `s_05_conflict_answers_newer` proves
//! S-05. Which cases apply follows from the [`Profile`](cloakroom_core::store::Profile) that the store declares; one that
//! does not apply says so on standard error. [`run_all`] does the same without the test harness.
//!
//! [`Faulty`] wraps a store and fails, delays or holds its operations on command, for tests of what uses a store.

pub mod cases;
mod faulty;
mod fixture;
mod kit;
mod reference;
mod run;
pub mod samples;
mod sequence;
mod suite;
mod verdict;

pub use faulty::{Fault, Faults, Faulty, Gate, Operation, Target};
pub use fixture::{Fixture, ManualClock, Offered};
#[doc(hidden)]
pub use run::on_fixture as __on_fixture;
pub use run::{Case, Report, cases, check, run_all};
pub use verdict::{Checked, Stop};
