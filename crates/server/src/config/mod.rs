//! The configuration: flags over environment over `cloakroom.toml` over defaults, typed and checked once.

mod access;
mod cookie_rules;
mod env;
mod error;
mod file;
mod layers;
mod listen;
mod load;
mod origin;
mod period;
mod print;
mod scarce;
mod secret;
mod sections;
mod size;
mod tls;
mod validate;

pub use access::{AccessRule, Allow};
pub use cookie_rules::{SameSite, default_cookie_name};
pub use error::{ConfigError, Place};
pub use layers::Layers;
pub use listen::Listen;
pub use load::{Flags, Loaded, load};
pub use origin::WebOrigin;
pub use period::{OffOr, Period};
pub use print::print;
pub use secret::{Secret, StoreUrl};
pub use sections::*;
pub use size::Size;
pub use tls::Tls;
