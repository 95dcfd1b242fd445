//! `[server.tls]`, and what follows from it.

use super::{ConfigError, Listen, Loaded, Secret, Server, WebOrigin};
use crate::tls::Pair;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf};

/// `[server.tls]`: https by the server itself. SIGHUP reads both files anew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain in PEM, the server's own first.
    pub certificate: PathBuf,
    /// The private key in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Secret>,
    /// The file that holds the key. It is read by `serve` and `check-config` alone: other commands may be run by people
    /// who must not see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}

impl Server {
    /// What is wrong with `[server.tls]` as far as one can say without its files: the key and why.
    pub(super) fn tls_fault(&self) -> Option<(&'static str, String)> {
        let tls = self.tls.as_ref()?;
        if tls.certificate.as_os_str().is_empty() {
            return Some((
                "server.tls.certificate",
                "is missing: name the PEM file of the certificate chain".into(),
            ));
        }
        if tls.key.is_none() && tls.key_file.is_none() {
            return Some((
                "server.tls.key_file",
                "is missing: name the PEM file of the private key".into(),
            ));
        }
        if let Listen::Unix(_) = self.listen {
            return Some((
                "server.tls",
                format!(
                    "`{}` is a unix socket, which stays on this machine and speaks plain http",
                    self.listen
                ),
            ));
        }
        let plain = self.public_url.as_ref().filter(|url| !url.is_https())?;
        Some((
            "server.public_url",
            format!("`{plain}` is plain http, and with server.tls the listener speaks https"),
        ))
    }
}

impl Loaded {
    /// Reads certificate and key, if there are any.
    ///
    /// # Errors
    /// A pair that cannot be used, with the place of the key that names the file to blame.
    pub fn tls(&self) -> Result<Option<Pair>, ConfigError> {
        let Some(tls) = &self.config.server.tls else {
            return Ok(None);
        };
        let fail = |fault: crate::tls::Fault| {
            let key = format!("server.tls.{}", fault.field);
            self.layers.fail(&key, fault.why)
        };
        Pair::read(tls).map(Some).map_err(fail)
    }

    /// The origin that browsers see where none is configured: that of the certificate. `bound` has the port that was
    /// taken.
    ///
    /// # Errors
    /// A certificate that names no single host, on a listener that is reached by many addresses.
    pub fn origin_by_certificate(
        &self,
        pair: &Pair,
        bound: Option<SocketAddr>,
    ) -> Result<WebOrigin, ConfigError> {
        let server = &self.config.server;
        if let Some(configured) = &server.public_url {
            return Ok(configured.clone());
        }
        let address = match (bound, &server.listen) {
            (Some(address), _) => address,
            (None, Listen::Tcp(address)) => *address,
            (None, Listen::Unix(_)) => return Ok(server.public_origin(None)),
        };
        match pair.host_for(Some(address.ip())) {
            Some(host) => Ok(WebOrigin::new(true, &host, address.port())),
            None if address.ip().is_unspecified() => {
                let why = format!(
                    "`{}` is reached by many addresses, and the certificate names no single one: set server.public_url",
                    server.listen
                );
                Err(self.layers.fail("server.listen", why))
            }
            None => Ok(server.public_origin(Some(address))),
        }
    }
}
