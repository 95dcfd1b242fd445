//! Who is at the other end of a connection, and by which door the request came in.

use std::net::{IpAddr, SocketAddr};

/// The other end of the connection. Every request carries it as an extension (`Extension<Peer>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A TCP client: often a proxy.
    Tcp(SocketAddr),
    /// A process on this machine that the socket's file permissions let in.
    Unix,
}

impl Peer {
    /// The address, where there is one. This is what `Proxy::trusts` takes.
    #[must_use]
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip().to_canonical()),
            Self::Unix => None,
        }
    }
}

/// By which door a request came in. Every request carries it as an extension (`Extension<Via>`), set by the router and
/// never by anything that a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// The configured listener: the API wants a key.
    Network,
    /// `control.sock`, or a command in the process that opened the data directory: file permissions are the credential,
    /// and every scope is granted.
    Control,
}
