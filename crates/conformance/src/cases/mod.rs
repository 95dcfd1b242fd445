//! The cases, by what they are about. Each is called after the sentence of the contract that it proves.

pub mod create;
