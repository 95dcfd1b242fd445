//! Service credentials: API keys, what they may do, and the caller of a request.

mod bootstrap;
mod caller;
mod key;
mod keys;
mod known;
mod scope;

pub use bootstrap::bootstrap;
pub use caller::Caller;
pub use key::{ApiKey, NewKey};
pub use keys::{ApiKeys, KeyError};
pub use scope::Scope;
