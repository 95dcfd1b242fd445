//! Noticing what is presented twice: G-01, G-02.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::store::ReplayGuard as _;

use crate::fixture::Fixture;
use crate::kit;
use crate::verdict::{Checked, ensure, ensure_eq};

const MINUTE: Duration = Duration::from_secs(60);

/// G-01: a key is new once; other keys, however alike, are keys of their own.
pub async fn g_01_a_key_is_new_once<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    let until = now.plus(MINUTE);
    let longest = [0xff; 64];
    let almost = [0xff; 63];
    let keys: [&[u8]; 5] = [b"a", b"ab", b"\0", &longest, &almost];
    for key in keys {
        let first = store.first_seen(key, until, now).await?;
        ensure!(first, "the key {key:?} is not new at first");
    }
    fixture.advance(MINUTE - Duration::from_secs(1)).await;
    let now = fixture.now();
    for key in keys {
        let first = store.first_seen(key, until, now).await?;
        ensure!(!first, "the key {key:?} is new twice");
    }
    Ok(())
}

/// G-01: of parallel callers exactly one is the first.
pub async fn g_01_one_of_parallel_callers_is_first<F: Fixture>(fixture: F) -> Checked {
    let (handles, now) = (kit::handles(&fixture)?, fixture.now());
    let until = now.plus(MINUTE);
    for round in 0..kit::rounds(20) as u64 {
        let firsts = kit::together(12, |number| {
            let store = Arc::clone(&handles[number % handles.len()]);
            async move { Ok(store.first_seen(&round.to_be_bytes(), until, now).await?) }
        })
        .await?;
        let firsts = firsts.into_iter().filter(|first| *first).count();
        ensure_eq!(firsts, 1, "callers for whom a key was new");
    }
    Ok(())
}

/// G-02: after its time a key is new again, once.
pub async fn g_02_after_its_time_a_key_is_new_again<F: Fixture>(fixture: F) -> Checked {
    let (store, now) = (fixture.store(), fixture.now());
    ensure!(
        store.first_seen(b"key", now.plus(MINUTE), now).await?,
        "a key is not new at first"
    );
    fixture.advance(MINUTE * 2).await;
    let now = fixture.now();
    for wanted in [true, false] {
        let first = store.first_seen(b"key", now.plus(MINUTE), now).await?;
        ensure_eq!(first, wanted, "whether a key is new after its time");
    }
    Ok(())
}
