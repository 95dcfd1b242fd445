//! The description of the API (OpenAPI 3.1).

pub mod document;
mod problems;

pub use document::document;
