//! What requests say, beside data.

use super::data::Object;
use crate::http::{Answer, Problem, problems};
use cloakroom::Proof;
use cloakroom_core::{Device, Edits, Subject};
use serde::Deserialize;
use std::{net::IpAddr, time::Duration};
use utoipa::ToSchema;

/// The longest text of a device, an `acr` or an `amr`.
const TEXT_MAX: usize = 512;
/// The most `amr` values.
const AMR_MAX: usize = 16;
/// The longest timeout that can be asked for, in seconds: 400 days.
const TIMEOUT_MAX: u64 = 400 * 24 * 60 * 60;

/// Where a session is used from, for the person's list of devices.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceBody {
    /// The `User-Agent` header.
    #[schema(max_length = 512)]
    user_agent: Option<String>,
    /// The client's address.
    #[schema(example = "192.0.2.7")]
    ip: Option<String>,
    /// A name that the person knows it by.
    #[schema(max_length = 512)]
    label: Option<String>,
}

impl DeviceBody {
    /// The device, checked.
    pub fn check(self) -> Answer<Device> {
        let user_agent = text("device.user_agent", self.user_agent)?;
        let label = text("device.label", self.label)?;
        let ip = self.ip.map(|ip| ip.parse::<IpAddr>());
        let ip = ip
            .transpose()
            .map_err(|_| invalid("device.ip", "is no IP address"))?;
        Ok(Device {
            user_agent,
            label,
            ip: ip.map(|ip| ip.to_canonical().to_string().into()),
        })
    }
}

/// Who was proven, and how.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofBody {
    /// Who.
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$"
    )]
    pub subject: String,
    /// How strongly.
    #[schema(max_length = 512)]
    pub acr: Option<String>,
    /// By which methods (RFC 8176).
    #[schema(max_items = 16)]
    pub amr: Option<Vec<String>>,
}

/// The proof, checked.
pub fn proof(subject: String, acr: Option<String>, amr: Option<Vec<String>>) -> Answer<Proof> {
    let subject = self::subject(subject)?;
    let amr = amr.unwrap_or_default();
    if amr.len() > AMR_MAX {
        return Err(invalid("amr", "has more than 16 values"));
    }
    let amr = amr
        .into_iter()
        .map(|method| Ok(text("amr", Some(method))?.unwrap_or_default()));
    Ok(Proof {
        subject,
        acr: text("acr", acr)?,
        amr: amr.collect::<Answer<Vec<_>>>()?,
    })
}

/// A subject, checked.
pub fn subject(subject: String) -> Answer<Subject> {
    Subject::new(subject).map_err(|error| invalid("subject", &error.to_string()))
}

/// A timeout in whole seconds, checked.
pub fn timeout(field: &str, seconds: Option<u64>) -> Answer<Option<Duration>> {
    match seconds {
        Some(0) => Err(invalid(field, "must be at least 1 second")),
        Some(seconds) if seconds > TIMEOUT_MAX => Err(invalid(field, "is over 400 days")),
        seconds => Ok(seconds.map(Duration::from_secs)),
    }
}

/// Edits of data: what to set and what to remove.
pub fn edits(set: Option<Object>, remove: Option<Vec<String>>) -> Answer<Edits> {
    let set = set.unwrap_or_default();
    let remove = remove.unwrap_or_default();
    if let Some(name) = remove.iter().find(|name| set.has(name)) {
        return Err(invalid("remove", &format!("`{name}` is set as well")));
    }
    let mut edits = set.into_edits();
    for name in remove {
        edits.remove(name);
    }
    Ok(edits)
}

fn text(field: &str, text: Option<String>) -> Answer<Option<Box<str>>> {
    match text {
        Some(text) if text.len() > TEXT_MAX => Err(invalid(field, "is over 512 bytes")),
        Some(text) if text.chars().any(char::is_control) => {
            Err(invalid(field, "has a control character"))
        }
        text => Ok(text.map(Into::into)),
    }
}

/// 400 that names the field.
pub fn invalid(field: &str, why: &str) -> Problem {
    Problem::new(&problems::INVALID_FIELD)
        .detail(format!("`{field}` {why}"))
        .with("field", field)
}
