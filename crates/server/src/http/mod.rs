//! What every answer over HTTP shares: problems, extractors, headers, request ids, who is asking.

mod extract;
mod guard;
mod headers;
mod peer;
mod problem;
pub mod problems;
mod request_id;

pub use extract::{Json, Path, Query, parse as parse_json};
pub use guard::{caught, limited};
pub use headers::{add_security_headers, no_store, soon};
pub use peer::{Peer, Via};
pub use problem::{Answer, Kind, Problem};
pub use request_id::{RequestId, X_REQUEST_ID};
