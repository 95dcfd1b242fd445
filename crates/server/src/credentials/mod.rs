//! Service credentials: API keys, what they may do, and the caller of a request.

mod caller;
mod key;
mod keys;
mod scope;

pub use caller::Caller;
pub use key::{ApiKey, NewKey};
pub use keys::{ApiKeys, KeyError};
pub use scope::Scope;
