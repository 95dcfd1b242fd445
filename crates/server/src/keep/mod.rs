//! Where everything is kept: sessions, people, keys and the clock's mark, opened from the configuration.

mod clock;
mod keys;
mod open;
mod policy;

pub use open::Keep;
