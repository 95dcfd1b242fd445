//! One small application, several times: bare, under a layer that does nothing, under Cloakroom and under its peers.
//!
//! Every variant has the same routes and answers the same words, so that whatever differs between two of them is the
//! session layer. The programs in `src/bin` and the crate `allocations` measure them.

mod app;
mod case;
mod payload;
mod under;

pub use app::App;
pub use case::Case;
pub use payload::{COUNT, PAYLOAD_BYTES, payload};
pub use under::{Layer, NoOp, on_store};
