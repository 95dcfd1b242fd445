//! The running server: data directory, listeners, connections, signals, the way down.

mod accept;
mod control;
mod data_dir;
mod first_bytes;
mod listener;
mod reload;
mod run;
mod shutdown;
mod signals;
mod start_message;

pub use control::socket_path;
pub use data_dir::{DataDir, LockError};
pub use run::run;
pub use shutdown::Shutdown;
