//! The clock's mark in the registry, so that the judged time goes on after a restart (DESIGN 1.3).

use bytes::Bytes;
use cloakroom::service::SystemClock;
use cloakroom_core::{
    Timestamp,
    clock::Mark,
    store::{DynRegistry, Expected, Kind, StoreError},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const NAME: &str = "mark";

#[derive(Serialize, Deserialize)]
struct Kept {
    high_water: Option<i64>,
    skew: i64,
}

/// Starts the clock where the registry says that it left off.
pub(super) async fn start(registry: &DynRegistry) -> Result<Arc<SystemClock>, StoreError> {
    // The entry never expires, so it does not matter by which time it is asked for.
    let entry = registry.get(Kind::Clock, NAME, Timestamp::EPOCH).await?;
    let kept = entry.and_then(|entry| serde_json::from_slice::<Kept>(&entry.value).ok());
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
pub(super) async fn keep(registry: &DynRegistry, clock: &SystemClock) -> Result<(), StoreError> {
    let mark = clock.mark();
    let kept = Kept {
        high_water: mark.high_water.map(Timestamp::as_millis),
        skew: mark.skew,
    };
    let Ok(value) = serde_json::to_vec(&kept) else {
        return Ok(());
    };
    let now = mark.high_water.unwrap_or_default();
    registry
        .put(
            Kind::Clock,
            NAME,
            Expected::Anything,
            Some(Bytes::from(value)),
            None,
            now,
        )
        .await?;
    Ok(())
}
