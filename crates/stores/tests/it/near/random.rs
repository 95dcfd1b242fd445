//! Seeded: two nodes, a channel whose words arrive late or never, and a clock. Nothing older than a second is answered.

use std::collections::VecDeque;
use std::sync::Arc;

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Expect, LAG, Scope, Store as _, SubjectIndex as _, Updated};
use cloakroom_core::{SessionId, SubjectLimit, Timestamp};
use cloakroom_stores::near_cache::{Channel, NearCache};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::{Duration, Instant, advance};

use super::told::{Told, Word};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const SESSIONS: usize = 4;

/// What was sent, and when; `None` stands for a heartbeat.
type Sent = VecDeque<(Instant, Option<Word>)>;

/// One node, and what is under way to it.
struct Node {
    near: NearCache<Told>,
    channel: Option<Channel>,
    queue: Arc<Mutex<Sent>>,
}

impl Node {
    fn on(store: &Arc<Told>) -> Self {
        let queue = Arc::new(Mutex::new(VecDeque::new()));
        let words = Arc::clone(&queue);
        store.listen(move |word| {
            words.lock().push_back((Instant::now(), Some(word.clone())));
        });
        Self {
            near: NearCache::new(Arc::clone(store), 1 << 20),
            channel: None,
            queue,
        }
    }

    fn deliver(&self, count: usize) {
        for _ in 0..count {
            let Some((sent, word)) = self.queue.lock().pop_front() else {
                return;
            };
            match (&self.channel, word) {
                (Some(channel), Some(word)) => word.deliver(channel),
                (Some(channel), None) => channel.proven(sent),
                (None, _) => {}
            }
        }
    }

    /// The connection breaks: what was under way is lost.
    fn reconnect(&mut self, rng: &mut StdRng) {
        self.queue.lock().clear();
        self.channel = None;
        if rng.random_bool(0.8) {
            self.channel = Some(self.near.sink().open(true));
        }
    }
}

/// What was true of one session, and from when on. `None`: it has ended.
type History = Vec<(Instant, Option<u64>)>;

/// The oldest state that may be answered now.
fn oldest(history: &History, now: Instant) -> Option<u64> {
    let past = |(at, _): &&(Instant, Option<u64>)| now.saturating_duration_since(*at) >= LAG;
    let last = history.iter().rev().find(past);
    last.or(history.first()).and_then(|(_, state)| *state)
}

/// Whether `alive` may be answered now; if not, the oldest state that could have been.
fn judged(alive: Option<u64>, history: &History) -> Result<(), Option<u64>> {
    let limit = oldest(history, Instant::now());
    let right = match (alive, limit) {
        (Some(seen), Some(limit)) => seen >= limit,
        (Some(_), None) => false,
        // It has ended, or the history says that it had not, which the newest entry tells.
        (None, _) => history.last().is_some_and(|(_, state)| state.is_none()),
    };
    if right { Ok(()) } else { Err(limit) }
}

async fn run(seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let store = Told::new();
    let mut nodes = [Node::on(&store), Node::on(&store)];
    let mut sessions: Vec<(SessionId, History)> = Vec::new();
    for number in 0..SESSIONS {
        let subject = format!("s{number}");
        let record = Sample::new(NOW).of(&subject, Epoch::ZERO).record();
        sessions.push((record.id, vec![(Instant::now(), Some(1))]));
        let none = SubjectLimit::NONE;
        store.create(record, none, NOW).await.unwrap();
    }
    for step in 0..600 {
        let which = rng.random_range(0..2);
        let number = rng.random_range(0..SESSIONS);
        let (id, history) = &mut sessions[number];
        let id = *id;
        match rng.random_range(0..100) {
            0..50 => {
                let loaded = nodes[which].near.load(id).await.unwrap();
                let alive = loaded
                    .filter(|loaded| loaded.record.security.admitted >= loaded.not_before)
                    .map(|loaded| loaded.record.version);
                let what = judged(alive, history);
                assert!(what.is_ok(), "seed {seed}, step {step}: {what:?}");
            }
            50..65 => {
                let (any, none) = (Expect::Security(1), SubjectLimit::NONE);
                let change = samples::set("a", step);
                let near = &nodes[which].near;
                if let Updated::Done { record, .. } =
                    near.update(id, any, change, none, NOW).await.unwrap()
                {
                    history.push((Instant::now(), Some(record.version)));
                    let own = near.load(id).await.unwrap().unwrap();
                    assert_eq!(
                        own.record.version, record.version,
                        "seed {seed}, step {step}"
                    );
                }
            }
            65..67 => {
                nodes[which].near.delete(id).await.unwrap();
                history.push((Instant::now(), None));
                assert!(nodes[which].near.load(id).await.unwrap().is_none());
            }
            67..69 => {
                let scope = Scope::Subject {
                    app: None,
                    subject: samples::subject(&format!("s{number}")),
                };
                nodes[which]
                    .near
                    .revoke_all(scope, None, NOW)
                    .await
                    .unwrap();
                history.push((Instant::now(), None));
            }
            69..72 => nodes[which].reconnect(&mut rng),
            72..85 => nodes[which].queue.lock().push_back((Instant::now(), None)),
            85..93 => nodes[which].deliver(rng.random_range(1..8)),
            _ => advance(Duration::from_millis(rng.random_range(1..400))).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_older_than_a_second_is_answered() {
    let rounds = if std::env::var_os("CLOAKROOM_SOAK").is_some_and(|value| value == "1") {
        5_000
    } else {
        150
    };
    for seed in 0..rounds {
        run(seed).await;
    }
}
