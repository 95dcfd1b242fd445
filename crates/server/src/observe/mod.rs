//! What the operator sees: logs, metrics, health.

pub mod endpoints;
mod health;
mod logging;
mod metrics;
mod requests;

pub use health::Health;
pub use logging::{Logging, parse_level};
pub use metrics::{Metrics, describe};
pub use requests::{Observed, Tally};
