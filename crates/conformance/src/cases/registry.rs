//! Small named objects.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::Timestamp;
use cloakroom_core::store::{Entry, ErrorKind, Expected, Kind, Put, Registry, VALUE_MAX};

use crate::fixture::Fixture;
use crate::kit;
use crate::verdict::{Checked, Stop, answers, ensure, ensure_eq};

/// Long enough for a waiting future to notice what it should not.
const MOMENT: Duration = Duration::from_millis(50);

fn handles<F: Fixture>(fixture: &F) -> Result<Vec<Arc<F::Registry>>, Stop> {
    let mut handles = vec![kit::registry(fixture)?];
    handles.extend(fixture.second_registry());
    Ok(handles)
}

fn value(text: &str) -> Option<Bytes> {
    Some(Bytes::copy_from_slice(text.as_bytes()))
}

async fn put<R: Registry>(
    registry: &R,
    name: &str,
    expected: Expected,
    value: Option<Bytes>,
    now: Timestamp,
) -> Result<u64, Stop> {
    let answer = registry
        .put(Kind::Setting, name, expected, value, None, now)
        .await?;
    Ok(answers!(answer, Put::Done(version) => version, "put of {name:?} with {expected:?}"))
}

async fn get<R: Registry>(registry: &R, name: &str, now: Timestamp) -> Result<Option<Entry>, Stop> {
    Ok(registry.get(Kind::Setting, name, now).await?)
}

/// of parallel callers who expect nothing one writes, and the others get what he wrote.
pub async fn r_01_nodes_that_start_together_agree<F: Fixture>(fixture: F) -> Checked {
    let (handles, now) = (handles(&fixture)?, fixture.now());
    for round in 0..kit::rounds(20) {
        let told = kit::together(8, |number| {
            let registry = Arc::clone(&handles[number % handles.len()]);
            let (name, own) = (format!("ring {round}"), format!("of {number}"));
            async move {
                let own = Bytes::from(own);
                let answer = registry
                    .put(
                        Kind::Ring,
                        &name,
                        Expected::Absent,
                        Some(own.clone()),
                        None,
                        now,
                    )
                    .await?;
                match answer {
                    Put::Done(version) => Ok((true, version, own)),
                    Put::Conflict(Some(entry)) => Ok((false, entry.version, entry.value)),
                    Put::Conflict(None) => Err(Stop::Failed("a conflict with nothing".into())),
                }
            }
        })
        .await?;
        let writers = told.iter().filter(|(wrote, ..)| *wrote).count();
        ensure_eq!(writers, 1, "writers of a new entry");
        let same = told
            .iter()
            .all(|(_, version, value)| (version, value) == (&told[0].1, &told[0].2));
        ensure!(
            same,
            "parallel callers were told different entries: {told:?}"
        );
    }
    Ok(())
}

/// an entry comes back as it was put, under names of every script.
pub async fn r_01_entries_come_back<F: Fixture>(fixture: F) -> Checked {
    let (registry, now) = (kit::registry(&fixture)?, fixture.now());
    let longest = "n".repeat(255);
    let names = [
        "a",
        "a/b",
        "..",
        "\0",
        "ключ",
        "\u{1f5dd}",
        "' OR 1=1 --",
        &longest,
    ];
    let expires = Some(now.plus(MOMENT * 1000));
    for (at, name) in names.into_iter().enumerate() {
        let value = Bytes::from(vec![at as u8; at * 1000]);
        let answer = registry
            .put(
                Kind::User,
                name,
                Expected::Absent,
                Some(value.clone()),
                expires,
                now,
            )
            .await?;
        let version = answers!(answer, Put::Done(version) => version, "put of {name:?}");
        let wanted = Entry {
            name: name.into(),
            value,
            version,
            expires,
        };
        ensure_eq!(
            registry.get(Kind::User, name, now).await?,
            Some(wanted),
            "{name:?}"
        );
    }
    let largest = Bytes::from(vec![0xa5; VALUE_MAX]);
    put(
        &*registry,
        "largest",
        Expected::Anything,
        Some(largest.clone()),
        now,
    )
    .await?;
    let found = get(&*registry, "largest", now)
        .await?
        .map(|entry| entry.value);
    ensure!(found == Some(largest), "the largest value changed");
    ensure_eq!(
        get(&*registry, "absent", now).await?,
        None,
        "an absent entry"
    );
    Ok(())
}

/// only the version last written is accepted; versions rise, also over a removal.
pub async fn r_02_versions_never_repeat<F: Fixture>(fixture: F) -> Checked {
    let (registry, now) = (kit::registry(&fixture)?, fixture.now());
    let mut last = 0;
    for round in 0..4 {
        let first = put(&*registry, "a", Expected::Absent, value("1"), now).await?;
        ensure!(
            first > last,
            "a version repeats after removal, round {round}"
        );
        let second = put(&*registry, "a", Expected::Version(first), value("2"), now).await?;
        ensure!(second > first, "a version does not rise");
        for stale in [
            Expected::Version(first),
            Expected::Version(second + 1),
            Expected::Absent,
        ] {
            let answer = registry
                .put(Kind::Setting, "a", stale, value("3"), None, now)
                .await?;
            let there = answers!(answer, Put::Conflict(Some(there)) => there, "put with {stale:?}");
            ensure_eq!(
                (there.version, there.value),
                (second, Bytes::from("2")),
                "what is there"
            );
        }
        let third = put(&*registry, "a", Expected::Anything, value("4"), now).await?;
        ensure!(third > second, "a version does not rise");
        put(&*registry, "a", Expected::Version(third), None, now).await?;
        let answer = registry
            .put(
                Kind::Setting,
                "a",
                Expected::Version(third),
                value("5"),
                None,
                now,
            )
            .await?;
        answers!(answer, Put::Conflict(None) => (), "put to a removed entry");
        last = third;
    }
    Ok(())
}

/// parallel compare-and-set increments: none is lost.
pub async fn r_02_no_increment_is_lost<F: Fixture>(fixture: F) -> Checked {
    let (handles, now) = (handles(&fixture)?, fixture.now());
    let each = kit::rounds(8);
    put(&*handles[0], "count", Expected::Absent, value("0"), now).await?;
    kit::together(6, |number| {
        let registry = Arc::clone(&handles[number % handles.len()]);
        async move {
            let mut done = 0;
            while done < each {
                let Some(entry) = get(&*registry, "count", now).await? else {
                    return Err(Stop::Failed("a counter vanished".into()));
                };
                let next = value(&(number_in(&entry)? + 1).to_string());
                let expected = Expected::Version(entry.version);
                let answer = registry
                    .put(Kind::Setting, "count", expected, next, None, now)
                    .await?;
                done += usize::from(matches!(answer, Put::Done(_)));
            }
            Ok(())
        }
    })
    .await?;
    let entry = get(&*handles[0], "count", now).await?;
    let count = entry.as_ref().map(number_in).transpose()?;
    ensure_eq!(count, Some(6 * each), "increments kept");
    Ok(())
}

fn number_in(entry: &Entry) -> Result<usize, Stop> {
    std::str::from_utf8(&entry.value)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Stop::Failed(format!("a counter that is no number: {entry:?}")))
}

/// a removed entry is absent; removing where nothing is does no harm.
pub async fn r_03_a_removed_entry_is_absent<F: Fixture>(fixture: F) -> Checked {
    let (registry, now) = (kit::registry(&fixture)?, fixture.now());
    put(&*registry, "a", Expected::Absent, value("1"), now).await?;
    put(&*registry, "b", Expected::Absent, value(""), now).await?;
    put(&*registry, "a", Expected::Anything, None, now).await?;
    put(&*registry, "never", Expected::Anything, None, now).await?;
    for name in ["a", "never"] {
        ensure_eq!(get(&*registry, name, now).await?, None, "a removed entry");
    }
    let left = registry.list(Kind::Setting, None, 10, now).await?;
    let names: Vec<_> = left.iter().map(|entry| &*entry.name).collect();
    ensure_eq!(names, vec!["b"], "entries listed after a removal");
    ensure_eq!(
        left[0].value,
        Bytes::new(),
        "an empty value, which is not a removal"
    );
    Ok(())
}

/// an expired entry is absent for every operation.
pub async fn r_04_an_expired_entry_is_absent<F: Fixture>(fixture: F) -> Checked {
    let (registry, start) = (kit::registry(&fixture)?, fixture.now());
    let minute = Duration::from_secs(60);
    let expires = Some(start.plus(minute));
    let answer = registry
        .put(
            Kind::Setting,
            "a",
            Expected::Absent,
            value("1"),
            expires,
            start,
        )
        .await?;
    let version = answers!(answer, Put::Done(version) => version, "an entry that expires");
    ensure!(
        get(&*registry, "a", start).await?.is_some(),
        "it is absent before its time"
    );
    fixture.advance(minute).await;
    let now = fixture.now();
    ensure_eq!(get(&*registry, "a", now).await?, None, "an expired entry");
    let listed = registry.list(Kind::Setting, None, 10, now).await?;
    ensure_eq!(listed, vec![], "expired entries listed");
    let answer = registry
        .put(
            Kind::Setting,
            "a",
            Expected::Version(version),
            value("2"),
            None,
            now,
        )
        .await?;
    answers!(answer, Put::Conflict(None) => (), "put by version to an expired entry");
    let anew = put(&*registry, "a", Expected::Absent, value("3"), now).await?;
    ensure!(anew > version, "a version repeats after expiry");
    let found = get(&*registry, "a", now).await?;
    ensure_eq!(
        found.map(|entry| entry.expires),
        Some(None),
        "an entry that no longer expires"
    );
    Ok(())
}

/// entries come ascending by the bytes of their names, after a name that need not exist, within the limit.
pub async fn r_05_list_is_ordered_and_bounded<F: Fixture>(fixture: F) -> Checked {
    let (registry, now) = (kit::registry(&fixture)?, fixture.now());
    let names = ["b", "B", "a", "aa", "ключ", "\u{1f5dd}", "z", "10", "9"];
    for name in names {
        put(&*registry, name, Expected::Absent, value(name), now).await?;
    }
    let mut sorted = names;
    sorted.sort_unstable();
    for limit in [1, 2, 100] {
        let mut found: Vec<Box<str>> = Vec::new();
        loop {
            let after = found.last().cloned();
            let page = registry
                .list(Kind::Setting, after.as_deref(), limit, now)
                .await?;
            ensure!(page.len() <= limit, "a page is longer than asked");
            if page.is_empty() {
                break;
            }
            found.extend(page.into_iter().map(|entry| entry.name));
            ensure!(found.len() <= names.len(), "a listing gives an entry twice");
        }
        let found: Vec<&str> = found.iter().map(|name| &**name).collect();
        ensure_eq!(found, sorted, "entries in pages of {limit}");
    }
    let after = registry.list(Kind::Setting, Some("ab"), 2, now).await?;
    let after: Vec<_> = after.iter().map(|entry| &*entry.name).collect();
    ensure_eq!(after, vec!["b", "z"], "entries after a name that is absent");
    Ok(())
}

/// one name in two kinds is two entries.
pub async fn r_06_kinds_are_apart<F: Fixture>(fixture: F) -> Checked {
    let (registry, now) = (kit::registry(&fixture)?, fixture.now());
    let kinds = [
        Kind::User,
        Kind::ApiKey,
        Kind::Client,
        Kind::Ring,
        Kind::Code,
        Kind::Idempotency,
        Kind::Clock,
        Kind::Setting,
    ];
    for kind in kinds {
        let own = value(kind.as_str());
        let answer = registry
            .put(kind, "same", Expected::Absent, own, None, now)
            .await?;
        answers!(answer, Put::Done(_) => (), "one name in {kind:?}");
    }
    let removed = registry
        .put(Kind::User, "same", Expected::Anything, None, None, now)
        .await?;
    answers!(removed, Put::Done(_) => (), "a removal");
    for kind in kinds {
        let wanted = (kind != Kind::User).then(|| kind.as_str().as_bytes().to_vec());
        let found = registry.get(kind, "same", now).await?;
        let found = found.map(|entry| entry.value.to_vec());
        ensure_eq!(found, wanted, "the entry of {kind:?}");
        let listed = registry.list(kind, None, 10, now).await?;
        ensure_eq!(
            listed.len(),
            usize::from(kind != Kind::User),
            "entries of {kind:?}"
        );
    }
    Ok(())
}

/// a watcher wakes after a write or a removal of its kind, whoever made it, and misses none.
pub async fn r_07_a_watcher_wakes_after_a_write<F: Fixture>(fixture: F) -> Checked {
    let (handles, now) = (handles(&fixture)?, fixture.now());
    let watched = Arc::clone(&handles[handles.len() - 1]);
    put(&*handles[0], "a", Expected::Absent, value("1"), now).await?;
    let mut seen = within(watched.changed(Kind::Setting, 0)).await?;
    let quiet = tokio::time::timeout(MOMENT, watched.changed(Kind::Setting, seen)).await;
    ensure!(quiet.is_err(), "a watcher wakes without a write");
    for next in [value("2"), None] {
        let waiting = {
            let watched = Arc::clone(&watched);
            tokio::spawn(async move { watched.changed(Kind::Setting, seen).await })
        };
        tokio::time::sleep(MOMENT).await;
        let other = handles[0]
            .put(Kind::Code, "a", Expected::Anything, value("x"), None, now)
            .await?;
        answers!(other, Put::Done(_) => (), "a write of another kind");
        tokio::time::sleep(MOMENT).await;
        ensure!(!waiting.is_finished(), "a watcher wakes for another kind");
        put(&*handles[0], "a", Expected::Anything, next, now).await?;
        let joined = within(async {
            waiting.await.map_err(|_| {
                cloakroom_core::StoreError::new(ErrorKind::Unavailable, "a watcher died")
            })?
        })
        .await?;
        ensure!(joined > seen, "the revision does not rise");
        seen = joined;
    }
    put(&*handles[0], "b", Expected::Absent, value("1"), now).await?;
    put(&*handles[0], "c", Expected::Absent, value("1"), now).await?;
    let late = within(watched.changed(Kind::Setting, seen)).await?;
    ensure!(late > seen, "a write before the watch is missed");
    Ok(())
}

async fn within(
    waiting: impl Future<Output = Result<u64, cloakroom_core::StoreError>>,
) -> Result<u64, Stop> {
    match tokio::time::timeout(Duration::from_secs(10), waiting).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Stop::Failed("a watcher does not wake after a write".into())),
    }
}

/// names and values out of bounds are refused as errors of kind `denied`, and nothing is written.
pub async fn r_09_what_is_out_of_bounds_is_denied<F: Fixture>(fixture: F) -> Checked {
    let (registry, now) = (kit::registry(&fixture)?, fixture.now());
    let long = "n".repeat(256);
    let wide = "\u{e9}".repeat(128);
    let large = Bytes::from(vec![0; VALUE_MAX + 1]);
    let cases = [
        ("", Bytes::new()),
        (long.as_str(), Bytes::new()),
        (wide.as_str(), Bytes::new()),
        ("large", large),
    ];
    for (name, value) in cases {
        let answer = registry
            .put(
                Kind::Setting,
                name,
                Expected::Anything,
                Some(value),
                None,
                now,
            )
            .await;
        let kind = answer.as_ref().map_err(cloakroom_core::StoreError::kind);
        ensure!(
            kind.is_err_and(|kind| kind == ErrorKind::Denied),
            "put out of bounds ({} bytes of name): {answer:?}",
            name.len()
        );
    }
    let listed = registry.list(Kind::Setting, None, 10, now).await?;
    ensure!(listed.is_empty(), "something out of bounds was written");
    Ok(())
}
