//! Real servers for tests: started from Debian's packages on free ports, in a temporary folder, killed at the end.
//!
//! Test code: where it cannot do its work it panics.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: where it cannot do its work it panics"
)]

pub mod mariadb;
pub mod place;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod redis;

pub use mariadb::Mariadb;
pub use place::quick_place;
pub use process::{Process, free_port, wait_until};
pub use proxy::Proxy;
