//! Who may reach what behind a proxy: the target of a request, the rules, and where people may be sent.

mod origins;
mod rules;
mod target;

pub use origins::Origins;
pub use rules::{Verdict, decide};
pub use target::{Target, TargetError};
