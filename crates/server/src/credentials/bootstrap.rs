//! The first API key without a shell: `[bootstrap] api_key_file`.

use super::{ApiKey, ApiKeys, Scope};
use crate::config::Bootstrap;
use cloakroom_core::Timestamp;
use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

/// The name that the key has in lists.
const NAME: &str = "bootstrap";

/// Takes the configured key, or makes one and writes it to the file (0600) where there is none yet.
///
/// # Errors
/// One line for the operator.
pub async fn bootstrap(config: &Bootstrap, keys: &ApiKeys, now: Timestamp) -> Result<(), String> {
    let scopes = vec![Scope::Admin];
    let key = match (&config.api_key, &config.api_key_file) {
        (Some(text), _) => ApiKey::of_text(text.expose().trim(), scopes, now.as_millis()).ok_or(
            "bootstrap.api_key is not shaped like an API key: `cr_` and 59 characters of base64url; leave the file away and one is made",
        )?,
        (None, Some(path)) => {
            let made = ApiKey::draw(scopes, None, now.as_millis());
            write(path, &made.text).map_err(|error| {
                format!("bootstrap.api_key_file: {}: {error}", path.display())
            })?;
            made.key
        }
        (None, None) => return Ok(()),
    };
    keys.adopt(NAME, &key, now)
        .await
        .map_err(|error| format!("the bootstrap key could not be kept: {error}"))
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}
