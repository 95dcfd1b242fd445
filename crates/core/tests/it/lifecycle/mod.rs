//! The life of a session, compared with a small model, and named cases.

mod model;
mod named;
mod random;
