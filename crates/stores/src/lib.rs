//! Stores for Cloakroom sessions: a feature each, all off.
//!
//! Every store keeps the contract of [`cloakroom_core::store`] and passes `cloakroom-conformance`.

#[cfg(feature = "embedded")]
pub mod embedded;
#[cfg(feature = "files")]
pub mod files;
#[cfg(feature = "near_cache")]
pub mod near_cache;
#[cfg(feature = "overflow")]
pub mod overflow;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(any(feature = "embedded", feature = "sql"))]
mod seal;
#[cfg(feature = "sql")]
pub mod sql;
#[cfg(feature = "url")]
pub mod url;

#[cfg(feature = "embedded")]
pub use embedded::EmbeddedStore;
#[cfg(feature = "files")]
pub use files::FilesStore;
#[cfg(feature = "redis")]
pub use redis::RedisStore;
