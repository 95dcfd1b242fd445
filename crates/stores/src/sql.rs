//! Stores in a database.

mod bounds;
mod migration;
#[cfg(feature = "mysql")]
pub mod mysql;
#[cfg(feature = "postgres")]
pub mod postgres;
mod row;
mod scope;
#[cfg(feature = "sqlite")]
pub mod sqlite;
