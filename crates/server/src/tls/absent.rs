//! In place of TLS in a build without the feature `tls`: the configuration says so, and nothing else can be reached.

use super::Fault;
use crate::config::Tls;
use std::{io, net::IpAddr, time::Duration};
use tokio::net::TcpStream;

/// There is none in this build.
#[derive(Debug)]
pub enum Pair {}

/// There is none in this build.
#[derive(Debug)]
pub enum ServerTls {}

/// No value of it is ever made.
pub type TlsStream = TcpStream;

impl Pair {
    /// Refuses.
    ///
    /// # Errors
    /// Always: the error names the feature that is missing.
    pub fn read(_: &Tls) -> Result<Self, Fault> {
        let why = "this build has no TLS: it was made without the feature `tls`";
        Err(Fault::new("certificate", why))
    }

    /// Never called.
    #[must_use]
    pub fn host_for(&self, _: Option<IpAddr>) -> Option<String> {
        match *self {}
    }

    /// Never called.
    #[must_use]
    pub fn outlook(&self) -> String {
        match *self {}
    }

    /// Never called.
    pub fn log(&self, _: &'static str) {
        match *self {}
    }

    /// Never called.
    #[must_use]
    pub fn has_expired(&self) -> bool {
        match *self {}
    }
}

impl ServerTls {
    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn new(pair: Pair) -> Result<Self, Fault> {
        match pair {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn replace(&self, _: Pair) -> Result<(), Fault> {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    #[expect(clippy::unused_async, reason = "has the form of the one with TLS")]
    pub async fn handshake(&self, _: TcpStream, _: Duration) -> io::Result<Box<TlsStream>> {
        match *self {}
    }
}
