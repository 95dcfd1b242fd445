//! The Redis store, on real servers.

mod cluster;
mod failover;
mod faults;
mod load;
mod login;
mod sentinel;
mod single;
