//! The MySQL and MariaDB store, on a real MariaDB server: the contract, faults, nodes that share it.

mod conformance;
mod faults;
mod nodes;
mod server;
mod tls;
