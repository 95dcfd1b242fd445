//! The cases, by what they are about. Each is called after the sentence of the contract that it proves.

pub mod crash;
pub mod create;
pub mod delete;
pub mod fault;
pub mod index;
pub mod limit;
pub mod random;
pub mod ready;
pub mod registry;
pub mod replay;
pub mod revoke;
pub mod touch;
pub mod update;
