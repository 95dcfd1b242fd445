//! People, API keys, clients, the key ring and settings.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use cloakroom_core::store::{DynRegistry, Entry, Expected, Kind, Put};
use cloakroom_core::{StoreError, Timestamp};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{MigrateError, OURS, Side};

/// What is carried. The clock's mark tells of one machine.
const KINDS: [Kind; 7] = [
    Kind::User,
    Kind::ApiKey,
    Kind::Client,
    Kind::Ring,
    Kind::Code,
    Kind::Idempotency,
    Kind::Setting,
];
/// Under this name each store has one of its own.
const STORE_ID: &str = "store-id";
/// Entries of one page.
const PAGE: usize = 256;
/// Entries among which the notes are spread.
const BUCKETS: u64 = 64;

/// A random name that a store keeps, by which runs tell it from others. Never expires, so the time does not matter.
pub(super) async fn store_id(registry: &DynRegistry) -> Result<String, StoreError> {
    let mut bytes = [0; 8];
    rand::rng().fill_bytes(&mut bytes);
    let ours: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let value = Some(Bytes::from(ours.clone()));
    let put = registry.put(
        Kind::Setting,
        STORE_ID,
        Expected::Absent,
        value,
        None,
        Timestamp::EPOCH,
    );
    match put.await? {
        Put::Conflict(Some(there)) => Ok(String::from_utf8_lossy(&there.value).into_owned()),
        Put::Done(_) | Put::Conflict(None) => Ok(ours),
    }
}

/// Versions of one entry when it was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Copied {
    here: u64,
    there: u64,
}

/// By name.
type Notes = BTreeMap<String, Copied>;

/// Copies all entries; answers how many were written or removed.
pub(super) async fn copy(
    from: &Side,
    to: &Side,
    source: &str,
    now: Timestamp,
) -> Result<u64, MigrateError> {
    let mut written = 0;
    for kind in KINDS {
        let mut kind = OneKind {
            kind,
            prefix: format!("{OURS}{source}-{}/", kind.as_str()),
            from: &from.registry,
            to: &to.registry,
            now,
        };
        written += kind.copy().await?;
    }
    Ok(written)
}

struct OneKind<'a> {
    kind: Kind,
    prefix: String,
    from: &'a DynRegistry,
    to: &'a DynRegistry,
    now: Timestamp,
}

impl OneKind<'_> {
    async fn copy(&mut self) -> Result<u64, MigrateError> {
        let mut notes = self.notes().await?;
        let before = notes.clone();
        let here = all(self.from, self.kind, self.now)
            .await
            .map_err(MigrateError::From)?;
        let mut written = 0;
        for entry in &here {
            let name = &*entry.name;
            if let Some(copied) = self.one(name, Some(entry), notes.get(name)).await? {
                written += u64::from(notes.insert(name.to_owned(), copied) != Some(copied));
            }
        }
        let names: BTreeSet<&str> = here.iter().map(|entry| &*entry.name).collect();
        let is_here = |name: &String| names.contains(name.as_str());
        let removed: Vec<String> = before
            .keys()
            .filter(|name| !is_here(name))
            .cloned()
            .collect();
        for name in removed {
            if self.one(&name, None, notes.get(&name)).await?.is_some() {
                notes.remove(&name);
                written += 1;
            }
        }
        self.keep(&before, &notes).await?;
        Ok(written)
    }

    /// Brings one entry, or its removal. `None` where the new store's own stands.
    async fn one(
        &self,
        name: &str,
        here: Option<&Entry>,
        note: Option<&Copied>,
    ) -> Result<Option<Copied>, MigrateError> {
        let version = here.map_or(0, |entry| entry.version);
        let expected = match note {
            None => Expected::Absent,
            // Unchanged here since: whatever was done there stands.
            Some(note) if note.here == version => return Ok(None),
            Some(note) => Expected::Version(note.there),
        };
        let (value, expires) = (
            here.map(|entry| entry.value.clone()),
            here.and_then(|entry| entry.expires),
        );
        let put = self
            .to
            .put(self.kind, name, expected, value, expires, self.now);
        Ok(match put.await.map_err(MigrateError::To)? {
            Put::Done(there) => Some(Copied {
                here: version,
                there,
            }),
            Put::Conflict(Some(there))
                if note.is_none() && here.is_some_and(|entry| entry.value == there.value) =>
            {
                Some(Copied {
                    here: version,
                    there: there.version,
                })
            }
            // It was changed or removed there.
            Put::Conflict(_) => None,
        })
    }

    async fn notes(&self) -> Result<Notes, MigrateError> {
        let mut notes = Notes::new();
        for bucket in 0..BUCKETS {
            let entry = self
                .to
                .get(Kind::Setting, &self.name(bucket), self.now)
                .await;
            if let Some(entry) = entry.map_err(MigrateError::To)? {
                let found: Notes =
                    serde_json::from_slice(&entry.value).map_err(|_| MigrateError::Notes)?;
                notes.extend(found);
            }
        }
        Ok(notes)
    }

    async fn keep(&self, before: &Notes, notes: &Notes) -> Result<(), MigrateError> {
        for number in 0..BUCKETS {
            let of = |notes: &Notes| -> Notes {
                let ours = notes.iter().filter(|(name, _)| bucket(name) == number);
                ours.map(|(name, copied)| (name.clone(), *copied)).collect()
            };
            let (before, now) = (of(before), of(notes));
            if before == now {
                continue;
            }
            let value = serde_json::to_vec(&now).map_err(|_| MigrateError::Notes)?;
            let (any, name) = (Expected::Anything, self.name(number));
            let put = self.to.put(
                Kind::Setting,
                &name,
                any,
                Some(value.into()),
                None,
                self.now,
            );
            put.await.map_err(MigrateError::To)?;
        }
        Ok(())
    }

    fn name(&self, bucket: u64) -> String {
        format!("{}{bucket:02x}", self.prefix)
    }
}

/// Every entry of `kind` but those that belong to one store alone.
async fn all(registry: &DynRegistry, kind: Kind, now: Timestamp) -> Result<Vec<Entry>, StoreError> {
    let (mut all, mut after) = (Vec::<Entry>::new(), None::<Box<str>>);
    loop {
        let page = registry.list(kind, after.as_deref(), PAGE, now).await?;
        let is_last = page.len() < PAGE;
        after = page.last().map(|entry| entry.name.clone());
        let is_carried = |entry: &Entry| !entry.name.starts_with(OURS) && *entry.name != *STORE_ID;
        all.extend(page.into_iter().filter(is_carried));
        if is_last {
            return Ok(all);
        }
    }
}

/// FNV-1a: spreads names, and must be the same in every release.
fn bucket(name: &str) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, mix) % BUCKETS
}
