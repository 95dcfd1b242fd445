//! A certificate chain and the key that belongs to it, read and checked together.

use super::{Fault, certificate::Certified};
use crate::config::Tls;
use jiff::Timestamp;
use rustls::{
    Error, InconsistentKeys,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};
use std::{fmt, net::IpAddr, path::Path, sync::Arc};
use zeroize::Zeroizing;

/// A certificate chain and its key. `Debug` shows no part of the key.
#[derive(Clone)]
pub struct Pair {
    pub(super) key: Arc<CertifiedKey>,
    certified: Certified,
}

impl Pair {
    /// Reads both and checks that they belong together.
    ///
    /// # Errors
    /// A file that cannot be read, holds no PEM of the right kind, or a key that is not the certificate's.
    pub fn read(tls: &Tls) -> Result<Self, Fault> {
        let chain = chain(&tls.certificate)?;
        let told = tls.certificate.display();
        let certified = Certified::read(&chain[0]).ok_or_else(|| {
            Fault::new(
                "certificate",
                format!("the first certificate in {told} cannot be read"),
            )
        })?;
        let (field, place, key) = key(tls)?;
        let key = provider()
            .key_provider
            .load_private_key(key)
            .map_err(|_| Fault::new(field, format!("the key in {place} is of no usable kind")))?;
        let pair = CertifiedKey::new(chain, key);
        match pair.keys_match() {
            // Some keys cannot say what their public half is.
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(_) => {
                let why =
                    format!("the key in {place} is not that of the first certificate in {told}");
                return Err(Fault::new(field, why));
            }
        }
        Ok(Self {
            key: Arc::new(pair),
            certified,
        })
    }

    /// The host that addresses of this server should name, given the address that it listens on.
    #[must_use]
    pub fn host_for(&self, listen: Option<IpAddr>) -> Option<String> {
        self.certified.host_for(listen)
    }

    /// Whether its time is over.
    #[must_use]
    pub fn has_expired(&self) -> bool {
        self.certified.days_left(Timestamp::now()) < 0
    }

    /// Until when the certificate holds, for people.
    #[must_use]
    pub fn outlook(&self) -> String {
        let days = self.certified.days_left(Timestamp::now());
        let end = self.certified.not_after();
        if days < 0 {
            format!("the certificate expired on {end}")
        } else {
            format!("the certificate holds until {end}, {days} days from now")
        }
    }

    /// Tells the log which certificate is used from now on, and loudly where its end is near.
    pub fn log(&self, what: &'static str) {
        let (now, serial) = (Timestamp::now(), self.certified.serial());
        let (days_left, not_after) = (self.certified.days_left(now), self.certified.not_after());
        if days_left < 0 {
            tracing::error!(serial, %not_after, days_left, "{what}, and it has expired");
        } else if self.certified.ends_soon(now) {
            tracing::warn!(serial, %not_after, days_left, "{what}, and it ends soon");
        } else {
            tracing::info!(serial, %not_after, days_left, "{what}");
        }
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair")
            .field("certified", &self.certified)
            .finish_non_exhaustive()
    }
}

/// The algorithms: aws-lc-rs.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let (told, fail) = (path.display(), |why| Fault::new("certificate", why));
    let text = std::fs::read(path).map_err(|error| fail(format!("cannot read {told}: {error}")))?;
    let chain = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| fail(format!("{told} is broken PEM")))?;
    if chain.is_empty() {
        return Err(fail(format!(
            "{told} holds no certificate (`-----BEGIN CERTIFICATE-----`)"
        )));
    }
    Ok(chain)
}

/// The key, the field it came by, and how to name its place.
fn key(tls: &Tls) -> Result<(&'static str, String, PrivateKeyDer<'static>), Fault> {
    let (field, place, text) = match (&tls.key, &tls.key_file) {
        (Some(key), _) => (
            "key",
            "server.tls.key".to_owned(),
            Zeroizing::new(key.expose().as_bytes().to_vec()),
        ),
        (None, Some(path)) => {
            let place = path.display().to_string();
            let text = std::fs::read(path)
                .map_err(|error| Fault::new("key_file", format!("cannot read {place}: {error}")))?;
            ("key_file", place, Zeroizing::new(text))
        }
        (None, None) => return Err(Fault::new("key_file", "is missing")),
    };
    let why = match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => return Ok((field, place, key)),
        Err(pem::Error::NoItemsFound) if contains(&text, b"ENCRYPTED PRIVATE KEY") => {
            "is encrypted with a passphrase, which nobody could type at a restart"
        }
        Err(pem::Error::NoItemsFound) => "holds no private key (`-----BEGIN PRIVATE KEY-----`)",
        Err(_) => "is broken PEM",
    };
    Err(Fault::new(field, format!("{place} {why}")))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
#[path = "pair_tests.rs"]
mod tests;
