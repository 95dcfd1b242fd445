//! The code between hosts, as the registry keeps it.

use super::browser::BrowserHash;
use crate::state::AppState;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use cloakroom::{SessionId, service::Error};
use cloakroom_core::{
    Subject,
    store::{Expected, Kind, Put},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;
use url::Url;

/// How long a code may take to its host.
const VALID: Duration = Duration::from_secs(30);

/// What a code stands for.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) host: String,
    pub(super) place: Url,
    pub(super) browser: BrowserHash,
    pub(super) subject: Subject,
    pub(super) acr: Option<Box<str>>,
    pub(super) amr: Vec<Box<str>>,
    /// When the subject was proven, in milliseconds.
    pub(super) proven_at: Option<i64>,
    pub(super) admitted: u64,
    pub(super) parent: SessionId,
}

/// Keeps what a new code stands for.
pub(super) async fn keep(state: &AppState, kept: &Kept) -> Result<String, Error> {
    let code = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let now = state.sessions().now();
    let value = Bytes::from(serde_json::to_vec(kept)?);
    let (name, expires) = (stored_name(&code), Some(now.plus(VALID)));
    state
        .registry()
        .put(
            Kind::Code,
            &name,
            Expected::Absent,
            Some(value),
            expires,
            now,
        )
        .await?;
    Ok(code)
}

/// Only the hash is kept: who reads the store cannot redeem a code.
fn stored_name(code: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(code.as_bytes()))
}

/// Takes a code out of the registry: of two who present it, one gets it. A wrong host spends it too.
pub(super) async fn take(state: &AppState, code: &str, host: &str) -> Result<Option<Kept>, Error> {
    if code.len() != 43 {
        return Ok(None);
    }
    let (registry, now, name) = (state.registry(), state.sessions().now(), stored_name(code));
    let Some(entry) = registry.get(Kind::Code, &name, now).await? else {
        return Ok(None);
    };
    let version = Expected::Version(entry.version);
    let taken = registry
        .put(Kind::Code, &name, version, None, None, now)
        .await?;
    let kept: Option<Kept> = serde_json::from_slice(&entry.value).ok();
    Ok(kept.filter(|kept| matches!(taken, Put::Done(_)) && kept.host == host))
}
