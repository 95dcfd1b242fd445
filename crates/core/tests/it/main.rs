//! Core's own tests: properties against small models, and named cases.

mod arbitrary;
mod codec;
mod data;
mod figures;
mod flood;
mod hostile;
mod lifecycle;
mod pinned;
mod timeline;
mod token;
