//! The clock's mark, so that the judged time goes on after a restart (DESIGN 1.3).

use crate::serve::DataDir;
use bytes::Bytes;
use cloakroom::service::SystemClock;
use cloakroom_core::{
    Timestamp,
    clock::Mark,
    store::{DynRegistry, ErrorKind, Expected, Kind, StoreError},
};
use serde::{Deserialize, Serialize};
use std::{fs, io, io::Write, path::Path, path::PathBuf, sync::Arc};

const NAME: &str = "mark";

/// The file in the data directory.
const FILE: &str = "clock.json";

#[derive(Serialize, Deserialize)]
struct Kept {
    high_water: Option<i64>,
    skew: i64,
}

/// Where the mark is kept. It tells of one machine's clock, so in a store that nodes share it has no place.
#[derive(Debug)]
pub(super) enum Place {
    Registry(DynRegistry),
    File(PathBuf),
    Nowhere,
}

impl Place {
    pub(super) fn of(is_shared: bool, registry: &DynRegistry, data_dir: Option<&DataDir>) -> Self {
        match (is_shared, data_dir) {
            (false, _) => Self::Registry(registry.clone()),
            (true, Some(data_dir)) => Self::File(data_dir.path().join(FILE)),
            (true, None) => Self::Nowhere,
        }
    }

    async fn read(&self) -> Result<Option<Bytes>, StoreError> {
        match self {
            Self::Registry(registry) => {
                // The entry never expires, so it does not matter by which time it is asked for.
                let entry = registry.get(Kind::Clock, NAME, Timestamp::EPOCH).await?;
                Ok(entry.map(|entry| entry.value))
            }
            Self::File(path) => match fs::read(path) {
                Ok(found) => Ok(Some(found.into())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(failed(error)),
            },
            Self::Nowhere => Ok(None),
        }
    }

    async fn write(&self, value: Vec<u8>, now: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::Registry(registry) => {
                let (any, value) = (Expected::Anything, Some(Bytes::from(value)));
                let put = registry.put(Kind::Clock, NAME, any, value, None, now);
                put.await.map(drop)
            }
            Self::File(path) => {
                let path = path.clone();
                let written = tokio::task::spawn_blocking(move || replace(&path, &value)).await;
                written
                    .map_err(io::Error::other)
                    .and_then(|done| done)
                    .map_err(failed)
            }
            Self::Nowhere => Ok(()),
        }
    }
}

/// Aside first, so that a crash leaves the old mark or the new one.
fn replace(path: &Path, value: &[u8]) -> io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = fs::File::create(&aside)?;
    file.write_all(value)?;
    file.sync_all()?;
    fs::rename(aside, path)
}

fn failed(error: io::Error) -> StoreError {
    StoreError::new(
        ErrorKind::Unavailable,
        "the clock's mark in the data directory",
    )
    .because(error)
}

/// Starts the clock where its mark says that it left off.
pub(super) async fn start(place: &Place) -> Result<Arc<SystemClock>, StoreError> {
    let found = place.read().await?;
    let kept = found.and_then(|found| serde_json::from_slice::<Kept>(&found).ok());
    let mark = kept.map_or_else(Mark::default, |kept| Mark {
        high_water: kept.high_water.map(Timestamp::from_millis),
        skew: kept.skew,
    });
    Ok(SystemClock::start(mark, |event| {
        tracing::warn!(
            ?event,
            "the wall clock jumped; deadlines are judged by the clock that went on"
        );
    }))
}

/// Keeps the mark. Called now and then and at the end; what is lost in a crash is at most the time since.
pub(super) async fn keep(place: &Place, clock: &SystemClock) -> Result<(), StoreError> {
    let mark = clock.mark();
    let kept = Kept {
        high_water: mark.high_water.map(Timestamp::as_millis),
        skew: mark.skew,
    };
    let Ok(value) = serde_json::to_vec(&kept) else {
        return Ok(());
    };
    place
        .write(value, mark.high_water.unwrap_or_default())
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mark_in_a_file_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::File(folder.path().join(FILE));
        assert_eq!(place.read().await.unwrap(), None);
        let ahead = Timestamp::from_secs(40_000_000_000);
        let kept = format!(r#"{{"high_water":{},"skew":0}}"#, ahead.as_millis());
        place.write(kept.into_bytes(), ahead).await.unwrap();
        let clock = start(&place).await.unwrap();
        assert!(clock.mark().high_water.unwrap() >= ahead);
        keep(&place, &clock).await.unwrap();
        assert!(start(&place).await.unwrap().mark().high_water.unwrap() >= ahead);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
