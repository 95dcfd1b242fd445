//! TLS of the configured listener: certificate and key, checked together, and the handshake.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod certificate;
#[cfg(feature = "tls")]
mod pair;
#[cfg(feature = "tls")]
mod server;

#[cfg(not(feature = "tls"))]
pub use absent::{Pair, ServerTls, TlsStream};
#[cfg(feature = "tls")]
pub use pair::Pair;
#[cfg(feature = "tls")]
pub use server::{ServerTls, TlsStream};

/// Why a certificate and its key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key of `[server.tls]` that is to blame.
    pub field: &'static str,
    /// What is wrong, as a lower-case fragment that names the file and holds nothing of its content.
    pub why: String,
}

impl Fault {
    fn new(field: &'static str, why: impl Into<String>) -> Self {
        Self {
            field,
            why: why.into(),
        }
    }
}
