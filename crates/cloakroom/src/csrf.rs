//! Against forged requests of other sites: by what browsers tell about a request, without tokens in forms (FM-1 to FM-6).

mod layer;
mod rules;
#[cfg(test)]
mod tests;

pub use layer::{CsrfFuture, CsrfLayer, CsrfService};
pub use rules::{Origin, OriginError, Refused};
