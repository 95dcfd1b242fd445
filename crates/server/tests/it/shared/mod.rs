//! Several servers on one store, for every store that can be shared.

mod increments;
mod keys;
mod migrate;
mod pair;
mod people;
mod place;
mod sessions;
