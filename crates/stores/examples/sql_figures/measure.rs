//! How things are measured, and what is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cloakroom_core::lifecycle::{Begin, Proof, begin};
use cloakroom_core::store::{Created, Expect, Store, Updated};
use cloakroom_core::{
    Change, Edits, JsonText, Policy, Record, SessionId, Subject, SubjectLimit, Timestamp,
};
use tokio::runtime::Runtime;

pub(crate) const SESSIONS: usize = 20_000;
const TURNS: usize = 5;
const TURN: Duration = Duration::from_secs(1);

pub(crate) fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.unwrap()
}

pub(crate) fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(now.as_millis()).unwrap())
}

/// A session of about 450 bytes, of a subject of its own.
pub(crate) fn record() -> Record {
    let mut edits = Edits::new();
    edits.set("cart", JsonText::of(&"x".repeat(250)).unwrap());
    let number: u64 = rand::random();
    let subject = Subject::new(format!("subject {number}")).unwrap();
    let what = Begin {
        proof: Some(Proof::of(subject)),
        edits,
        ..Begin::default()
    };
    begin(&what, &Policy::default(), now(), &rand::random()).0
}

pub(crate) async fn fill<S: Store>(store: &Arc<S>) -> Arc<Vec<SessionId>> {
    let records: Vec<_> = (0..SESSIONS).map(|_| record()).collect();
    let ids = records.iter().map(|record| record.id).collect();
    for some in records.chunks(256) {
        let mut tasks = tokio::task::JoinSet::new();
        for record in some.iter().cloned() {
            let store = Arc::clone(store);
            tasks.spawn(async move { create(&*store, record).await });
        }
        tasks.join_all().await;
    }
    Arc::new(ids)
}

async fn create<S: Store>(store: &S, record: Record) {
    let answer = store.create(record, SubjectLimit::NONE, now()).await;
    assert!(matches!(answer.unwrap(), Created::Done(_)));
}

/// A login: the subject's sessions are counted.
pub(crate) async fn login<S: Store>(store: Arc<S>) {
    let answer = store.create(record(), SubjectLimit::default(), now()).await;
    assert!(matches!(answer.unwrap(), Created::Done(_)));
}

pub(crate) fn any(ids: &[SessionId]) -> SessionId {
    ids[rand::random_range(0..ids.len())]
}

pub(crate) async fn load<S: Store>(store: Arc<S>, id: SessionId) {
    assert!(store.load(id).await.unwrap().is_some());
}

/// What a request does that changes something: a load, and an edit by name.
pub(crate) async fn load_and_update<S: Store>(store: Arc<S>, id: SessionId) {
    let record = store.load(id).await.unwrap().unwrap().record;
    let mut edits = Edits::new();
    edits.set("count", JsonText::of(&rand::random::<u32>()).unwrap());
    let expect = Expect::Security(record.security.version);
    let change = Change::of_data(edits);
    let answer = store
        .update(id, expect, change, SubjectLimit::NONE, now())
        .await;
    assert!(matches!(answer.unwrap(), Updated::Done { .. }));
}

/// How often `work` is done in a second by so many tasks.
pub(crate) async fn rate<F: Future<Output = ()> + Send + 'static>(
    tasks: usize,
    work: impl Fn() -> F + Send + Sync + 'static,
) -> f64 {
    let (work, count) = (Arc::new(work), Arc::new(AtomicUsize::new(0)));
    let begun = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..tasks {
        let (work, count) = (Arc::clone(&work), Arc::clone(&count));
        running.spawn(async move {
            while begun.elapsed() < TURN {
                work().await;
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    running.join_all().await;
    #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
    let count = count.load(Ordering::Relaxed) as f64;
    count / begun.elapsed().as_secs_f64()
}

/// Measures both in turns and prints the middle.
pub(crate) async fn compare<A: Future<Output = f64>, B: Future<Output = f64>>(
    what: &str,
    driver: impl Fn() -> A,
    store: impl Fn() -> B,
) {
    let (mut drivers, mut stores) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        drivers.push(driver().await);
        stores.push(store().await);
    }
    let (driver, store) = (middle(drivers), middle(stores));
    let ratio = store / driver;
    println!("{what:34} {driver:10.0} {store:10.0} {ratio:6.2}");
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}
