//! What a certificate says about itself: the hosts it names, and until when it holds.

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use std::net::IpAddr;
use x509_cert::{
    Certificate,
    der::Decode,
    ext::pkix::{SubjectAltName, name::GeneralName},
};

/// Below this many days left it is time to act: automatic renewals happen at 30, so something is stuck.
const SOON: i64 = 14;

/// The part of a certificate that we look at. Whether clients trust it is their affair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certified {
    /// Subject alternative names (RFC 9525: the only place where clients look), as they stand.
    names: Vec<String>,
    addresses: Vec<IpAddr>,
    not_after: Timestamp,
    serial: String,
}

impl Certified {
    /// Reads a certificate; `None` where it is none.
    pub(super) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let tbs = certificate.tbs_certificate();
        let seconds = tbs.validity().not_after.to_unix_duration().as_secs();
        let mut certified = Self {
            names: Vec::new(),
            addresses: Vec::new(),
            not_after: Timestamp::from_second(i64::try_from(seconds).ok()?)
                .unwrap_or(Timestamp::MAX),
            serial: tbs.serial_number().to_string(),
        };
        let (_, alternatives) = tbs
            .get_extension::<SubjectAltName>()
            .ok()?
            .unwrap_or_default();
        for name in alternatives.0 {
            match name {
                GeneralName::DnsName(name) => certified.names.push(name.as_str().to_lowercase()),
                GeneralName::IpAddress(octets) => {
                    certified.addresses.extend(address(octets.as_bytes()));
                }
                _ => {}
            }
        }
        Some(certified)
    }

    /// The host to write into an address that leads here: the one that is listened on where the certificate names it,
    /// else the first name without a wildcard. Browsers accept no other.
    pub(super) fn host_for(&self, listen: Option<IpAddr>) -> Option<String> {
        let written = |address: &IpAddr| match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let listen = listen.filter(|address| !address.is_unspecified());
        let exact = self.names.iter().find(|name| !name.contains('*'));
        listen
            .filter(|address| self.addresses.contains(address))
            .map(|address| written(&address))
            .or_else(|| exact.cloned())
            .or_else(|| self.addresses.first().map(written))
    }

    /// The serial number, as certificate authorities print it.
    pub(super) fn serial(&self) -> &str {
        &self.serial
    }

    /// The end of its validity.
    pub(super) fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whole days left at `now`; negative once it has expired.
    pub(super) fn days_left(&self, now: Timestamp) -> i64 {
        (self.not_after.as_second() - now.as_second()).div_euclid(24 * 3600)
    }

    /// Whether it ends so soon that somebody should know.
    pub(super) fn ends_soon(&self, now: Timestamp) -> bool {
        self.days_left(now) < SOON
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(octets)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from))
        .ok()
}
