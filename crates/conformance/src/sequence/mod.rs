//! Operations one after another, on a store and on the model.

mod run;
mod step;

pub(crate) use run::sequence;
pub(crate) use step::step;
