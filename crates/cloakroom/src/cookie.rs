//! The session cookie: its name and attributes, checked once, rendered for every response (RFC 6265bis, CK).

mod builder;
mod config;
mod error;
mod origin;
#[cfg(test)]
mod tests;

pub use builder::CookieBuilder;
pub use config::{CookieConfig, SameSite};
pub use error::CookieError;
