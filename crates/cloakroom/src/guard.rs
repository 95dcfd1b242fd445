//! Layers that let only some requests through: signed in, or proven strongly enough.

mod future;
mod require;

pub use require::{Require, RequireService, require_acr, require_login};
