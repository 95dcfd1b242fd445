//! The SQLite store: the contract, its file, processes that share it, processes that are killed.

mod conformance;
mod file;
mod full;
mod processes;
