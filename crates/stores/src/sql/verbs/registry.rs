//! The registry.

use bytes::Bytes;
use cloakroom_core::Timestamp;
use cloakroom_core::store::{Entry, Expected, Kind, Put, StoreError};

use super::super::bounds::{check_name, check_value};
use super::seal::{damaged, seal, take_time, take_u64, time_bytes, unseal};
use super::stored::{decode_counter, encode_counter};
use super::tx::Tx;

/// All kinds.
pub(in crate::sql) const KINDS: [Kind; 8] = [
    Kind::User,
    Kind::ApiKey,
    Kind::Client,
    Kind::Ring,
    Kind::Code,
    Kind::Idempotency,
    Kind::Clock,
    Kind::Setting,
];

/// One write to the registry.
pub(in crate::sql) struct Write {
    pub(in crate::sql) kind: Kind,
    pub(in crate::sql) name: Box<str>,
    pub(in crate::sql) expected: Expected,
    pub(in crate::sql) value: Option<Bytes>,
    pub(in crate::sql) expires: Option<Timestamp>,
}

impl Write {
    /// Whether it is within what the contract allows.
    pub(in crate::sql) fn check(&self) -> Result<(), StoreError> {
        check_name(&self.name)?;
        check_value(self.value.as_deref())
    }
}

fn entry_key(kind: Kind, name: &str) -> Vec<u8> {
    [kind.as_str().as_bytes(), &[0], name.as_bytes()].concat()
}

fn encode(
    kind: Kind,
    name: &str,
    version: u64,
    expires: Option<Timestamp>,
    value: &[u8],
) -> Vec<u8> {
    let expires = time_bytes(expires.unwrap_or(Timestamp::NEVER));
    seal(
        &entry_key(kind, name),
        &[&version.to_be_bytes(), &expires, value],
    )
}

fn decode(kind: Kind, name: &str, sealed: &[u8]) -> Result<Entry, StoreError> {
    const WHAT: &str = "reading a registry entry";
    let mut payload = unseal(&entry_key(kind, name), sealed, WHAT)?;
    let version = take_u64(&mut payload, WHAT)?;
    let expires = take_time(&mut payload, WHAT)?;
    Ok(Entry {
        name: name.into(),
        value: Bytes::copy_from_slice(payload),
        version,
        expires: Some(expires).filter(|expires| *expires != Timestamp::NEVER),
    })
}

fn is_there(entry: &Entry, now: Timestamp) -> bool {
    entry.expires.is_none_or(|expires| now < expires)
}

/// What a sealed value holds, unless it is past its time.
pub(in crate::sql) fn open(
    kind: Kind,
    name: &str,
    sealed: &[u8],
    now: Timestamp,
) -> Result<Option<Entry>, StoreError> {
    let entry = decode(kind, name, sealed)?;
    Ok(Some(entry).filter(|entry| is_there(entry, now)))
}

/// See [`cloakroom_core::store::Registry::get`].
#[cfg(feature = "sqlite")]
pub(in crate::sql) async fn get<T: Tx>(
    tx: &mut T,
    kind: Kind,
    name: &str,
) -> Result<Option<Entry>, StoreError> {
    let Some(sealed) = tx.entry(kind, name).await? else {
        return Ok(None);
    };
    let now = tx.now().await?;
    open(kind, name, &sealed, now)
}

/// See [`cloakroom_core::store::Registry::put`]. The counter of the kind gives versions and the revision that watchers
/// see; holding its row until the end makes them appear in their order.
pub(in crate::sql) async fn put<T: Tx>(tx: &mut T, write: &Write) -> Result<Put, StoreError> {
    let counter = revision(write.kind);
    let revision = tx.counter(counter).await?;
    let stored = match tx.entry(write.kind, &write.name).await? {
        Some(sealed) => Some(decode(write.kind, &write.name, &sealed)?),
        None => None,
    };
    let now = tx.now().await?;
    let there = stored.filter(|entry| is_there(entry, now));
    let holds = match write.expected {
        Expected::Absent => there.is_none(),
        Expected::Version(version) => there.as_ref().is_some_and(|entry| entry.version == version),
        Expected::Anything => true,
    };
    if !holds {
        return Ok(Put::Conflict(there));
    }
    let version = decode_counter(counter, revision.as_deref())? + 1;
    tx.set_counter(counter, encode_counter(counter, version))
        .await?;
    let value = write.value.as_ref();
    let sealed = value.map(|value| encode(write.kind, &write.name, version, write.expires, value));
    tx.put_entry(write.kind, &write.name, sealed, write.expires)
        .await?;
    Ok(Put::Done(version))
}

/// See [`cloakroom_core::store::Registry::list`].
pub(in crate::sql) async fn list<T: Tx>(
    tx: &mut T,
    kind: Kind,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    const PAGE: usize = 256;
    let now = tx.now().await?;
    let mut listed = Vec::new();
    let mut after = after.unwrap_or_default().to_owned();
    while listed.len() < limit {
        let page = tx.entries(kind, &after, PAGE).await?;
        let is_last = page.len() < PAGE;
        for (name, sealed) in page {
            let name = String::from_utf8(name).map_err(|_| damaged("reading a registry name"))?;
            let entry = decode(kind, &name, &sealed)?;
            after = name;
            if is_there(&entry, now) && listed.len() < limit {
                listed.push(entry);
            }
        }
        if is_last {
            break;
        }
    }
    Ok(listed)
}

/// The name of the counter of a kind's writes.
pub(in crate::sql) fn revision(kind: Kind) -> &'static str {
    kind.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_stand_in_their_own_order() {
        for (index, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
    }
}
