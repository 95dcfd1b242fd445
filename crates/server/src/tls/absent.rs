//! In place of TLS in a build without the feature `tls`: nothing can be made, so that nothing else is ever called.

use super::Fault;
use crate::config::Tls;
use std::{io, net::IpAddr, time::Duration};
use tokio::net::TcpStream;

/// There is none in this build.
#[derive(Clone, Debug)]
pub struct Pair(());

/// There is none in this build.
#[derive(Debug)]
pub struct ServerTls(());

/// No connection ever becomes one.
pub type TlsStream = TcpStream;

fn absent() -> Fault {
    let why = "this build has no TLS: it was made without the feature `tls`";
    Fault::new("certificate", why)
}

impl Pair {
    /// Refuses.
    ///
    /// # Errors
    /// Always: the error names the feature that is missing.
    pub fn read(_: &Tls) -> Result<Self, Fault> {
        Err(absent())
    }

    /// Nothing.
    #[must_use]
    pub fn host_for(&self, _: Option<IpAddr>) -> Option<String> {
        None
    }

    /// Nothing.
    #[must_use]
    pub fn outlook(&self) -> String {
        String::new()
    }

    /// Says nothing.
    pub fn log(&self, _: &'static str) {}

    /// Never.
    #[must_use]
    pub fn has_expired(&self) -> bool {
        false
    }
}

impl ServerTls {
    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn new(_: Pair) -> Result<Self, Fault> {
        Err(absent())
    }

    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn replace(&self, _: Pair) -> Result<(), Fault> {
        Err(absent())
    }

    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub async fn handshake(&self, _: TcpStream, _: Duration) -> io::Result<Box<TlsStream>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
