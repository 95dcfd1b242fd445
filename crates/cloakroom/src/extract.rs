//! What handlers take: the session, the principal, typed data.

#[cfg(feature = "axum")]
mod axum;
mod data;
mod fields;
mod principal;

pub use data::Data;
pub use principal::Principal;
