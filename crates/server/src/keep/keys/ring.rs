//! The key ring in a shared store: what all nodes must agree on, wrapped by a key that is never there (DESIGN 4).

use super::{Bytes32, WRAPPING, wrapping::Wrapping};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use cloakroom_core::{
    StoreError, Timestamp,
    store::{DynRegistry, Expected, Kind, Put},
};
use serde::{Deserialize, Serialize};
use std::{error::Error as _, path::Path};

/// The ring's name in the registry.
const NAME: &str = "renewal";

/// What is wrapped, and in which form: a value that was wrapped for something else does not open here.
const PURPOSE: &[u8] = b"cloakroom ring v1: renewal";

/// The form in which it is kept.
const VERSION: u32 = 1;

/// The ring as it is kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ring {
    v: u32,
    /// The name of the key that wrapped it.
    by: String,
    wrapped: String,
}

/// Why this node cannot use the ring.
#[derive(Debug)]
pub(super) enum Error {
    /// There is nothing here to open it with.
    NoKey,
    /// Another key wrapped it.
    OtherKey { by: String, ours: String },
    /// It cannot be read.
    Damaged,
    /// A later release wrote it.
    Version(u32),
    /// The store did not do its work.
    Store(StoreError),
}

impl Error {
    /// As one line for the operator, with what to do; `folder` is this node's `keys/`.
    pub(super) fn told(&self, folder: Option<&Path>) -> String {
        let file = folder.map(|folder| folder.join(WRAPPING));
        let copy = match file {
            Some(file) => format!(
                "copy keys/{WRAPPING} from the data directory of a node that serves already to {}, or give all nodes the same keys.secret (or keys.secret_file)",
                file.display()
            ),
            None => "give all nodes the same keys.secret (or keys.secret_file)".to_owned(),
        };
        match self {
            Self::NoKey => format!(
                "the nodes of a shared store need one key-encryption key, and this node has none: {copy}"
            ),
            Self::OtherKey { by, ours } => format!(
                "the key ring in the store was wrapped by the key-encryption key {by}, and this node has {ours}: {copy}"
            ),
            Self::Damaged => "the key ring in the store is damaged: bring it back from a backup; removing it would make renewals under way fail, once".to_owned(),
            Self::Version(version) => format!(
                "the key ring in the store has form {version}, which this release does not read: update this node"
            ),
            Self::Store(error) => match error.source() {
                Some(source) => format!("the key ring: {error}: {source}"),
                None => format!("the key ring: {error}"),
            },
        }
    }
}

impl Ring {
    /// The ring, if a node has put one there.
    pub(super) async fn read(registry: &DynRegistry) -> Result<Option<Self>, Error> {
        // It never expires, so it does not matter by which time it is asked for.
        let entry = registry.get(Kind::Ring, NAME, Timestamp::EPOCH).await;
        let entry = entry.map_err(Error::Store)?;
        entry.map(|entry| Self::decode(&entry.value)).transpose()
    }

    /// Puts `ours` there, unless another node was faster: then it is that node's.
    pub(super) async fn agree(
        registry: &DynRegistry,
        wrapping: &Wrapping,
        ours: &Bytes32,
    ) -> Result<Self, Error> {
        let wrapped = wrapping.wrap(PURPOSE, ours).ok_or(Error::Damaged)?;
        let ring = Self {
            v: VERSION,
            by: wrapping.name().to_owned(),
            wrapped: STANDARD.encode(wrapped),
        };
        let value = serde_json::to_vec(&ring).map_err(|_| Error::Damaged)?;
        let (absent, value) = (Expected::Absent, Some(Bytes::from(value)));
        let put = registry.put(Kind::Ring, NAME, absent, value, None, Timestamp::EPOCH);
        match put.await.map_err(Error::Store)? {
            Put::Done(_) => Ok(ring),
            Put::Conflict(Some(theirs)) => Self::decode(&theirs.value),
            Put::Conflict(None) => Err(Error::Damaged),
        }
    }

    /// The key in it.
    pub(super) fn open(&self, wrapping: &Wrapping) -> Result<Bytes32, Error> {
        let wrapped = STANDARD.decode(&self.wrapped).map_err(|_| Error::Damaged)?;
        match wrapping.open(PURPOSE, &wrapped) {
            Some(key) => Ok(key),
            None if self.by == wrapping.name() => Err(Error::Damaged),
            None => Err(Error::OtherKey {
                by: self.by.clone(),
                ours: wrapping.name().to_owned(),
            }),
        }
    }

    fn decode(value: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Form {
            v: u32,
        }
        match serde_json::from_slice::<Form>(value) {
            Ok(Form { v: VERSION }) => serde_json::from_slice(value).map_err(|_| Error::Damaged),
            Ok(Form { v }) => Err(Error::Version(v)),
            Err(_) => Err(Error::Damaged),
        }
    }
}
