//! Stores for Cloakroom sessions: a feature each, all off.
//!
//! Every store keeps the contract of [`cloakroom_core::store`] and passes `cloakroom-conformance`.

#[cfg(feature = "embedded")]
pub mod embedded;

#[cfg(feature = "embedded")]
pub use embedded::EmbeddedStore;
