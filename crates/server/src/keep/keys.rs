//! The key from which renewed tokens are derived. One that nodes share stands in their store, wrapped; else it comes from
//! the configuration, from `keys/`, or is made for this run.

mod file;
mod ring;
mod wrapping;

use crate::{config, serve::DataDir};
use cloakroom_core::{store::DynRegistry, token::RenewalKey};
use hkdf::Hkdf;
use sha2::Sha256;
use std::path::PathBuf;
use wrapping::Wrapping;
use zeroize::{Zeroize, Zeroizing};

/// The file of a node that shares its store with nobody: 32 random bytes, readable by us alone.
const RENEWAL: &str = "renewal.key";

/// The file that opens the key ring of a shared store: the same on every node, and never in the store.
const WRAPPING: &str = "encryption.key";

/// What the derived key is for (RFC 5869 `info`); a key for another purpose has another name.
const PURPOSE: &[u8] = b"cloakroom renewal key v1";

/// 32 bytes that nobody may know.
type Bytes32 = Zeroizing<[u8; 32]>;

/// The key; `shared` is the registry of a store that several nodes use.
pub(super) async fn renewal(
    keys: &config::Keys,
    data_dir: Option<&DataDir>,
    shared: Option<&DynRegistry>,
) -> Result<RenewalKey, String> {
    let folder = data_dir.map(|data_dir| data_dir.path().join("keys"));
    let mut bytes = match shared {
        Some(registry) => of_all_nodes(keys, folder, registry).await?,
        None => of_this_node(keys, folder)?,
    };
    let key = RenewalKey::from_bytes(*bytes);
    bytes.zeroize();
    Ok(key)
}

fn of_this_node(keys: &config::Keys, folder: Option<PathBuf>) -> Result<Bytes32, String> {
    match (&keys.secret, folder) {
        (Some(secret), _) => Ok(derived(secret.expose().as_bytes(), PURPOSE)),
        (None, Some(folder)) => file::kept(&folder, RENEWAL)
            .map_err(|error| format!("the key file keys/{RENEWAL}: {error}")),
        (None, None) => Ok(drawn()),
    }
}

/// The key in the ring. The first node brings it; one that has served alone until now brings the key that it has, so that
/// renewals under way are still answered.
async fn of_all_nodes(
    keys: &config::Keys,
    folder: Option<PathBuf>,
    registry: &DynRegistry,
) -> Result<Bytes32, String> {
    let failed = |error: ring::Error| error.told(folder.as_deref());
    let ring = ring::Ring::read(registry).await.map_err(failed)?;
    let wrapping = match (&keys.secret, &folder) {
        (Some(secret), _) => {
            // The configuration has checked that it is 32 bytes.
            let bytes = secret
                .base64_bytes()
                .ok_or("keys.secret is not 32 bytes in base64")?;
            Wrapping::of(&bytes)
        }
        (None, Some(folder)) => {
            let told = |error| format!("the key file keys/{WRAPPING}: {error}");
            // A ring that is there was not wrapped by a key that is made now; making one would only be in the way of
            // the file that has to be copied here.
            let found = match &ring {
                Some(_) => file::read(&folder.join(WRAPPING)).map_err(told)?,
                None => Some(file::kept(folder, WRAPPING).map_err(told)?),
            };
            Wrapping::of(&found.ok_or_else(|| failed(ring::Error::NoKey))?)
        }
        (None, None) => return Err(failed(ring::Error::NoKey)),
    };
    let ring = match ring {
        Some(ring) => ring,
        None => {
            let ours = match (&keys.secret, &folder) {
                (Some(secret), _) => derived(secret.expose().as_bytes(), PURPOSE),
                (None, Some(folder)) => file::read(&folder.join(RENEWAL))
                    .map_err(|error| format!("the key file keys/{RENEWAL}: {error}"))?
                    .unwrap_or_else(drawn),
                (None, None) => drawn(),
            };
            ring::Ring::agree(registry, &wrapping, &ours)
                .await
                .map_err(failed)?
        }
    };
    ring.open(&wrapping).map_err(failed)
}

fn drawn() -> Bytes32 {
    use rand::Rng;
    let mut bytes = Zeroizing::new([0; 32]);
    rand::rng().fill_bytes(&mut *bytes);
    bytes
}

/// The key for one purpose.
fn derived(secret: &[u8], purpose: &[u8]) -> Bytes32 {
    let mut bytes = Zeroizing::new([0; 32]);
    // RFC 5869 allows up to 255 blocks; this is one, so it cannot be refused.
    let expanded = Hkdf::<Sha256>::new(None, secret).expand(purpose, &mut *bytes);
    debug_assert!(expanded.is_ok());
    bytes
}

#[cfg(test)]
mod tests;
