//! The small built-in directory: people, their passwords, and how often anybody may guess.

mod delays;
#[cfg(test)]
mod delays_tests;
mod devices;
mod error;
mod first;
mod frugal;
mod hasher;
mod login;
mod password;
mod people;
mod person;
mod table;

pub use delays::{Attempt, Delays, Network, Ticket, Verdict};
pub use devices::DeviceSecret;
pub use error::Error;
pub use first::FirstAdmin;
pub use login::{Attempted, Proven};
pub use password::{SHORTEST_CHOSEN, check_chosen};
pub use people::{Added, Directory, NewPerson};
pub use person::Person;
