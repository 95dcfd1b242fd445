//! The Redis store, on real servers.

mod cluster;
mod failover;
mod faults;
mod limit;
mod load;
mod login;
mod missed;
mod sentinel;
mod single;
