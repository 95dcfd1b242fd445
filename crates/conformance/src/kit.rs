//! Steps that most cases take.

use std::future::Future;
use std::sync::Arc;

use cloakroom_core::lifecycle::{Opened, Proof, authenticate, open};
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{
    Consistency, Created, Expect, Loaded, Scope, Store, SubjectIndex, Updated,
};
use cloakroom_core::{Change, Policy, Record, SessionId, SubjectLimit, Timestamp};
use tokio::sync::Barrier;

use crate::fixture::{Fixture, Offered};
use crate::samples;
use crate::verdict::{Checked, Stop, answers, ensure};

/// Skips the case unless the store orders all operations on a session.
pub(crate) fn linearizable<F: Fixture>(fixture: &F) -> Checked {
    match fixture.store().profile().consistency {
        Consistency::Linearizable => Ok(()),
        _ => Err(Stop::Skipped("the store is not linearizable")),
    }
}

/// Skips the case unless the store keeps what it acknowledged.
pub(crate) fn durable<F: Fixture>(fixture: &F) -> Checked {
    if fixture.store().profile().durable {
        Ok(())
    } else {
        Err(Stop::Skipped("the store is not durable"))
    }
}

/// Crashes the store and opens it again; a durable store must be able to.
pub(crate) async fn crash<F: Fixture>(fixture: &mut F) -> Checked {
    match fixture.crash_and_reopen().await {
        Offered::Done => Ok(()),
        Offered::Not => Err(Stop::Failed(
            "the store declares durable, but its fixture offers no crash".into(),
        )),
    }
}

/// The store's handles: one, or two where it is shared.
pub(crate) fn handles<F: Fixture>(fixture: &F) -> Result<Vec<Arc<F::Store>>, Stop> {
    let mut handles = vec![fixture.store()];
    match fixture.second_store() {
        Some(second) => handles.push(second),
        None if fixture.store().profile().shared => {
            return Err(Stop::Failed(
                "the store declares shared, but its fixture offers no second handle".into(),
            ));
        }
        None => {}
    }
    Ok(handles)
}

/// The registry, or the case is skipped.
pub(crate) fn registry<F: Fixture>(fixture: &F) -> Result<Arc<F::Registry>, Stop> {
    fixture
        .registry()
        .ok_or(Stop::Skipped("the store has no registry"))
}

/// Keeps `record`, without a limit on sessions.
pub(crate) async fn create<S: Store>(store: &S, record: &Record, now: Timestamp) -> Checked {
    let answer = store
        .create(record.clone(), SubjectLimit::NONE, now)
        .await?;
    answers!(answer, Created::Done(ended) if ended.is_empty() => (), "create of a new session");
    Ok(())
}

/// What is kept under `id`; something must be.
pub(crate) async fn load<S: Store>(store: &S, id: SessionId) -> Result<Loaded, Stop> {
    Ok(answers!(store.load(id).await?, Some(loaded) => loaded, "load of a session that is kept"))
}

/// Applies `change`, which must succeed.
pub(crate) async fn update<S: Store>(
    store: &S,
    id: SessionId,
    expect: Expect,
    change: Change,
    now: Timestamp,
) -> Result<Arc<Record>, Stop> {
    let answer = store
        .update(id, expect, change, SubjectLimit::NONE, now)
        .await?;
    Ok(answers!(answer, Updated::Done { record, .. } => record, "update of a live session"))
}

/// Whether the session still opens with the secret that `record` has.
pub(crate) async fn opens<S: Store>(
    store: &S,
    record: &Record,
    now: Timestamp,
) -> Result<bool, Stop> {
    let Some(loaded) = store.load(record.id).await? else {
        return Ok(false);
    };
    let verdict = open(&loaded, &record.security.secrets.current, now);
    Ok(matches!(verdict, Opened::Live(_)))
}

/// Starts `count` tasks at the same moment on the runtime's threads; their answers in order.
pub(crate) async fn together<T, R>(
    count: usize,
    mut task: impl FnMut(usize) -> R,
) -> Result<Vec<T>, Stop>
where
    T: Send + 'static,
    R: Future<Output = Result<T, Stop>> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(count));
    let tasks: Vec<_> = (0..count)
        .map(|number| {
            let work = task(number);
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                barrier.wait().await;
                work.await
            })
        })
        .collect();
    let mut answers = Vec::with_capacity(count);
    for task in tasks {
        let answer = task
            .await
            .map_err(|error| Stop::Failed(format!("a parallel task died: {error}")))?;
        answers.push(answer?);
    }
    Ok(answers)
}

/// The epoch that a proof which begins now is stamped with.
pub(crate) async fn epoch<S: SubjectIndex>(store: &S) -> Result<Epoch, Stop> {
    Ok(store.epoch().await?)
}

/// The ids of all live sessions of `scope`, page by page; each page ascending and within the limit, each id once.
pub(crate) async fn list_all<S: SubjectIndex>(
    store: &S,
    scope: &Scope,
    page: usize,
    now: Timestamp,
) -> Result<Vec<SessionId>, Stop> {
    let mut ids: Vec<SessionId> = Vec::new();
    let mut cursor = None;
    loop {
        let listed = store.list(scope.clone(), cursor, page, now).await?;
        ensure!(listed.records.len() <= page, "a page is longer than asked");
        for record in &listed.records {
            let ascends = ids.last().is_none_or(|last| *last < record.id);
            ensure!(
                ascends,
                "a listing is not ascending or gives a session twice"
            );
            ids.push(record.id);
        }
        match listed.next {
            None => return Ok(ids),
            next if next == cursor => {
                return Err(Stop::Failed("a listing does not move on".into()));
            }
            next => cursor = next,
        }
    }
}

/// What a change brings that logs `record` in as `subject`, whose proof began at `admitted`.
pub(crate) fn login(record: &Record, subject: &str, admitted: Epoch, now: Timestamp) -> Change {
    let proof = Proof::of(samples::subject(subject));
    let policy = Policy::default();
    authenticate(record, &proof, admitted, &policy, now, &rand::random()).change
}

/// All live sessions of `subject` in every application.
pub(crate) fn everywhere(subject: &str) -> Scope {
    Scope::Subject {
        app: None,
        subject: samples::subject(subject),
    }
}

/// Sorted, to compare with a listing.
pub(crate) fn sorted(ids: impl IntoIterator<Item = SessionId>) -> Vec<SessionId> {
    let mut ids: Vec<_> = ids.into_iter().collect();
    ids.sort_unstable();
    ids
}

/// How many rounds a race is run: more with `CLOAKROOM_SOAK=1`.
pub(crate) fn rounds(few: usize) -> usize {
    if std::env::var_os("CLOAKROOM_SOAK").is_some_and(|value| value == "1") {
        few * 20
    } else {
        few
    }
}
