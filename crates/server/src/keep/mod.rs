//! Where everything is kept: sessions, people, keys and the clock's mark, opened from the configuration.

mod clock;
#[cfg(test)]
mod degradation;
mod keys;
mod open;
mod policy;

pub use open::Keep;
