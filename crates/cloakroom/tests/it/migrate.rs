//! Copying a store to another one: nobody is logged out, and nothing that ended comes back.

use cloakroom::core::lifecycle::{Begin, Proof};
use cloakroom::core::store::{Expected, Kind, Put, Scope};
use cloakroom::core::{Edits, JsonText, Subject};
use cloakroom::migrate::{self, MigrateError, Report};
use cloakroom::service::{Cause, Clock, SystemClock, Target, Verified};
use cloakroom::{Opened, SessionToken, Sessions, Timestamp, open_store};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tempfile::TempDir;

/// Two stores, and what serves on each.
struct Two {
    _folder: TempDir,
    from: Opened,
    to: Opened,
    old: Sessions,
    new: Sessions,
    clock: Arc<dyn Clock>,
}

impl Two {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = |name| format!("embedded:{}", folder.path().join(name).display());
        let (from, to) = (open_store(&url("from")).await, open_store(&url("to")).await);
        let (from, to) = (from.unwrap(), to.unwrap());
        let clock: Arc<dyn Clock> = SystemClock::start(Default::default(), |_| {});
        let sessions = |opened: &Opened| {
            let builder = Sessions::builder_on(opened.store.clone());
            builder.clock(Arc::clone(&clock)).build()
        };
        Self {
            old: sessions(&from),
            new: sessions(&to),
            _folder: folder,
            from,
            to,
            clock,
        }
    }

    async fn copy(&self) -> Report {
        let report = migrate::copy(&self.from, &self.to, &self.clock, &mut |_| {}).await;
        let report = report.unwrap();
        assert!(report.verified, "{report:?}");
        report
    }
}

async fn begin(sessions: &Sessions, subject: Option<&str>) -> SessionToken {
    let begin = Begin {
        proof: subject.map(|subject| Proof::of(Subject::new(subject).unwrap())),
        edits: set("n", "1"),
        admitted: sessions.admitted().await.unwrap(),
        ..Begin::default()
    };
    sessions.create(&begin).await.unwrap().token
}

fn set(name: &str, json: &str) -> Edits {
    let mut edits = Edits::new();
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    edits.set(name, JsonText::of(&json).unwrap());
    edits
}

async fn change(sessions: &Sessions, token: &SessionToken, json: &str) {
    let edits = set("n", json);
    let done = sessions.update(Target::Token(token), edits, None).await;
    done.unwrap();
}

/// The value that a live session has; `None` where it opens nothing.
async fn value(sessions: &Sessions, token: &SessionToken) -> Option<String> {
    match sessions.verify(token, false).await.unwrap() {
        Verified::Active(record) => Some(record.data.get("n").unwrap().to_owned()),
        Verified::Inactive(_) => None,
    }
}

async fn revoke(sessions: &Sessions, subject: &str) {
    let subject = Subject::new(subject).unwrap();
    let scope = Scope::Subject { app: None, subject };
    sessions.revoke_all(scope, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_live_session_arrives_and_no_other() {
    let two = Two::open().await;
    let beginning = (0..600).map(|number| {
        let old = two.old.clone();
        tokio::spawn(async move {
            let subject = format!("s{}", number % 300);
            // Every third is anonymous.
            begin(&old, (number % 3 > 0).then_some(&*subject)).await
        })
    });
    let mut live = Vec::new();
    for token in beginning.collect::<Vec<_>>() {
        live.push(token.await.unwrap());
    }
    let (ended, revoked) = (
        begin(&two.old, Some("a")).await,
        begin(&two.old, Some("b")).await,
    );
    two.old.end(ended.id(), Cause::Ended).await.unwrap();
    revoke(&two.old, "b").await;
    let report = two.copy().await;
    assert_eq!((report.sessions.found, report.sessions.copied), (600, 600));
    for token in &live {
        let (here, there) = (
            two.from.store.load(token.id()),
            two.to.store.load(token.id()),
        );
        assert_eq!(
            here.await.unwrap().unwrap().record,
            there.await.unwrap().unwrap().record
        );
        assert_eq!(value(&two.new, token).await.as_deref(), Some("1"));
    }
    for token in [&ended, &revoked] {
        assert_eq!(value(&two.new, token).await, None);
    }
    let again = two.copy().await;
    assert_eq!(
        (again.sessions.copied, again.sessions.kept, again.passes),
        (0, 600, 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_brings_what_changed_and_nothing_back() {
    let two = Two::open().await;
    let [changed, ended, revoked, ended_there, used_there, both, rest] = {
        let mut tokens = Vec::new();
        for name in ["a", "b", "c", "d", "e", "f", "g"] {
            tokens.push(begin(&two.old, Some(name)).await);
        }
        <[SessionToken; 7]>::try_from(tokens).unwrap_or_else(|_| panic!("seven"))
    };
    two.copy().await;
    change(&two.old, &changed, "2").await;
    change(&two.old, &changed, "3").await;
    two.old.end(ended.id(), Cause::Ended).await.unwrap();
    revoke(&two.old, "c").await;
    two.new.end(ended_there.id(), Cause::Ended).await.unwrap();
    change(&two.new, &used_there, "5").await;
    two.old.end(used_there.id(), Cause::Ended).await.unwrap();
    change(&two.new, &both, "7").await;
    change(&two.old, &both, "8").await;
    let late = begin(&two.old, None).await;
    let report = two.copy().await;
    let counts = report.sessions;
    assert_eq!((counts.copied, counts.updated), (1, 1), "{counts:?}");
    assert_eq!(
        (counts.ended_there, counts.ended_here),
        (1, 2),
        "{counts:?}"
    );
    for (token, expected) in [
        (&changed, Some("3")),
        (&ended, None),
        (&revoked, None),
        (&ended_there, None),
        (&used_there, Some("5")),
        (&both, Some("7")),
        (&rest, Some("1")),
        (&late, Some("1")),
    ] {
        assert_eq!(value(&two.new, token).await.as_deref(), expected);
    }
}

/// Admitted by the old store's clock, which has counted more revocations than the new one's.
#[tokio::test]
async fn a_revocation_in_the_new_store_reaches_what_was_copied() {
    let two = Two::open().await;
    for _ in 0..70 {
        revoke(&two.old, "nobody").await;
    }
    let (alice, bob) = (
        begin(&two.old, Some("alice")).await,
        begin(&two.old, Some("bob")).await,
    );
    two.copy().await;
    revoke(&two.new, "alice").await;
    assert_eq!(value(&two.new, &alice).await, None);
    assert!(value(&two.new, &bob).await.is_some());
    two.new.revoke_all(Scope::Everything, None).await.unwrap();
    two.copy().await;
    assert_eq!(value(&two.new, &bob).await, None);
}

/// Dropped at any step, as a crash would: the next run brings the rest, and takes nothing for ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_cut_off_is_made_up_for() {
    let two = Two::open().await;
    let mut tokens = Vec::new();
    for _ in 0..200 {
        tokens.push(begin(&two.old, None).await);
    }
    for polls in [1, 20, 60, 200, 500] {
        for token in tokens.iter().take(40) {
            change(&two.old, token, &polls.to_string()).await;
        }
        let mut nothing = |_| {};
        let mut run = pin!(migrate::copy(&two.from, &two.to, &two.clock, &mut nothing));
        let mut left = polls;
        std::future::poll_fn(|context| {
            left -= 1;
            match run.as_mut().poll(context) {
                Poll::Pending if left > 0 => Poll::Pending,
                _ => Poll::Ready(()),
            }
        })
        .await;
    }
    two.copy().await;
    for (at, token) in tokens.iter().enumerate() {
        let expected = if at < 40 { "500" } else { "1" };
        assert_eq!(value(&two.new, token).await.as_deref(), Some(expected));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_may_run_while_the_old_store_serves() {
    let two = Two::open().await;
    let mut tokens = Vec::new();
    for _ in 0..64 {
        tokens.push(begin(&two.old, None).await);
    }
    let (writer, its) = (two.old.clone(), tokens.clone());
    let writing = tokio::spawn(async move {
        for round in 2..10 {
            for token in &its {
                change(&writer, token, &round.to_string()).await;
            }
        }
    });
    // It may not converge while everything changes; it must not break anything.
    while !writing.is_finished() {
        let copied = migrate::copy(&two.from, &two.to, &two.clock, &mut |_| {}).await;
        copied.unwrap();
    }
    writing.await.unwrap();
    two.copy().await;
    for token in &tokens {
        assert_eq!(value(&two.new, token).await.as_deref(), Some("9"));
    }
}

async fn put(at: &Opened, name: &str, value: Option<&'static str>) {
    let registry = at.registry.as_ref().unwrap();
    let value = value.map(|value| value.as_bytes().into());
    let done = registry.put(
        Kind::User,
        name,
        Expected::Anything,
        value,
        None,
        Timestamp::EPOCH,
    );
    assert!(matches!(done.await.unwrap(), Put::Done(_)));
}

async fn get(at: &Opened, name: &str) -> Option<String> {
    let registry = at.registry.as_ref().unwrap();
    let entry = registry
        .get(Kind::User, name, Timestamp::EPOCH)
        .await
        .unwrap();
    entry.map(|entry| String::from_utf8(entry.value.to_vec()).unwrap())
}

#[tokio::test]
async fn people_and_keys_are_carried_and_a_second_run_undoes_nothing() {
    let two = Two::open().await;
    for name in [
        "same",
        "changed",
        "removed",
        "changed-there",
        "removed-there",
        "both",
    ] {
        put(&two.from, name, Some("1")).await;
    }
    assert_eq!(two.copy().await.entries, 6);
    put(&two.from, "changed", Some("2")).await;
    put(&two.from, "removed", None).await;
    put(&two.to, "changed-there", Some("3")).await;
    put(&two.to, "removed-there", None).await;
    put(&two.from, "both", Some("4")).await;
    put(&two.to, "both", Some("5")).await;
    put(&two.from, "new", Some("6")).await;
    for entries in [3, 0] {
        assert_eq!(two.copy().await.entries, entries);
        for (name, value) in [
            ("same", Some("1")),
            ("changed", Some("2")),
            ("removed", None),
            ("changed-there", Some("3")),
            ("removed-there", None),
            ("both", Some("5")),
            ("new", Some("6")),
        ] {
            assert_eq!(get(&two.to, name).await.as_deref(), value, "{name}");
        }
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let two = Two::open().await;
    let memory = open_store("memory:").await.unwrap();
    let none = &mut |_| {};
    let same = migrate::copy(&two.from, &two.from, &two.clock, none).await;
    assert!(matches!(same, Err(MigrateError::Same)));
    for (from, to) in [(&memory, &two.to), (&two.from, &memory)] {
        let refused = migrate::copy(from, to, &two.clock, none).await;
        assert!(matches!(refused, Err(MigrateError::Unkept { .. })));
    }
}
