//! Figures of the Redis store beside a raw pipelined client of the same server, in turns:
//! `cargo run --release -p cloakroom-stores --all-features --example redis_figures -- [--json] [SESSIONS]`.
//!
//! With `--json` one document, `{"figures": {key: number}}`; keys stay what they are:
//!
//! - `raw_get`, `raw_mget`, `raw_hgetall`: a second, 64 tasks on one multiplexed connection, of 500 bytes (a hash of 8
//!   times 56); `raw_set`: a script that sets as many. `store_load`, `store_update`, `store_load_update`: the store's,
//!   with as many tasks; the last one is a load and an update of what was read.
//! - `…_us`: processor time of one operation in microseconds, of the client and of the server together: what a machine
//!   that others use too does not spoil. Turns begin with another operation each time.
//! - `load_ratio` is `store_load` to `raw_get`, `update_ratio` `store_update` to `raw_set`: the middle of all turns;
//!   `…_cpu_ratio` is the same of processor time.
//! - `bytes_anonymous`, `bytes_subject`: memory of the server for one session of about 450 bytes, with SESSIONS (default
//!   50,000) in it.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints what it measured, and stops where it cannot"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cloakroom_core::lifecycle::{Begin, Proof, begin};
use cloakroom_core::store::{Expect, Store as _, Updated};
use cloakroom_core::{
    Change, Edits, JsonText, Policy, Record, SessionId, Subject, SubjectLimit, Timestamp,
};
use cloakroom_stores::RedisStore;
use cloakroom_stores::redis::Options;
use cloakroom_test_servers::redis::Redis;
use redis::aio::MultiplexedConnection;
use rustix::time::{ClockId, clock_gettime};

const TASKS: usize = 64;
const TURN: Duration = Duration::from_millis(700);
const TURNS: usize = 7;
/// Sessions and keys that reads and writes go to.
const KEYS: usize = 2_000;

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

fn record(subject: Option<usize>) -> Record {
    let mut edits = Edits::new();
    edits.set("cart", JsonText::of(&"x".repeat(250)).unwrap());
    let subject = subject.map(|number| Subject::new(format!("subject {number}")).unwrap());
    let what = Begin {
        proof: subject.map(Proof::of),
        edits,
        ..Begin::default()
    };
    begin(&what, &Policy::default(), now(), &rand::random()).0
}

/// How often `one` was done in a second, by all tasks together.
async fn rate<F>(one: impl Fn(usize) -> F + Send + Sync + 'static) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let (one, count) = (Arc::new(one), Arc::new(AtomicU64::new(0)));
    let start = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (one, count) = (Arc::clone(&one), Arc::clone(&count));
            tokio::spawn(async move {
                let mut at = task * 31;
                while start.elapsed() < TURN {
                    for _ in 0..16 {
                        one(at % KEYS).await;
                        at += 7;
                    }
                    count.fetch_add(16, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    count.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64()
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

struct Bench {
    raw: MultiplexedConnection,
    store: Arc<RedisStore>,
    ids: Arc<Vec<SessionId>>,
    script: Arc<redis::Script>,
}

impl Bench {
    async fn new(server: &Redis) -> Self {
        let url = format!("redis://{}", server.addr());
        let client = redis::Client::open(url.as_str()).unwrap();
        // A machine that does much else is slow, and no reason to stop.
        let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
        let raw = client.get_multiplexed_async_connection_with_config(&config);
        let mut raw = raw.await.unwrap();
        for key in 0..KEYS {
            let mut pipe = redis::pipe();
            pipe.set(format!("raw:{key}"), "x".repeat(500)).ignore();
            for field in 0..8 {
                pipe.hset(format!("hash:{key}"), field, "x".repeat(56))
                    .ignore();
            }
            pipe.query_async::<()>(&mut raw).await.unwrap();
        }
        let mut options = Options::from_url(&url).unwrap();
        options.deadline = Duration::from_secs(5);
        let store = Arc::new(RedisStore::connect(options).await.unwrap());
        let mut ids = Vec::new();
        for number in 0..KEYS {
            let record = record(Some(number));
            ids.push(record.id);
            store
                .create(record, SubjectLimit::default(), now())
                .await
                .unwrap();
        }
        let script = redis::Script::new("return redis.call('SET', KEYS[1], ARGV[1])");
        Self {
            raw,
            store,
            ids: Arc::new(ids),
            script: Arc::new(script),
        }
    }

    async fn raw(&self, verb: &'static str, key: &'static str, others: usize) -> f64 {
        let raw = self.raw.clone();
        rate(move |at| {
            let mut raw = raw.clone();
            async move {
                let mut cmd = redis::cmd(verb);
                cmd.arg(format!("{key}:{at}"));
                for other in 0..others {
                    cmd.arg(format!("cloakroom:not before {other} of {at}"));
                }
                cmd.query_async::<redis::Value>(&mut raw).await.unwrap();
            }
        })
        .await
    }

    async fn raw_set(&self) -> f64 {
        let (raw, script) = (self.raw.clone(), Arc::clone(&self.script));
        let value = "y".repeat(500);
        rate(move |at| {
            let (mut raw, script, value) = (raw.clone(), Arc::clone(&script), value.clone());
            async move {
                let key = format!("raw:{at}");
                let mut call = script.key(key);
                call.arg(value).invoke_async::<()>(&mut raw).await.unwrap();
            }
        })
        .await
    }

    async fn load(&self) -> f64 {
        let (store, ids) = (Arc::clone(&self.store), Arc::clone(&self.ids));
        rate(move |at| {
            let (store, id) = (Arc::clone(&store), ids[at]);
            async move {
                assert!(store.load(id).await.unwrap().is_some());
            }
        })
        .await
    }

    async fn update(&self, loads: bool) -> f64 {
        let (store, ids) = (Arc::clone(&self.store), Arc::clone(&self.ids));
        rate(move |at| {
            let (store, id) = (Arc::clone(&store), ids[at]);
            async move {
                if loads {
                    assert!(store.load(id).await.unwrap().is_some());
                }
                let mut edits = Edits::new();
                edits.set("count", JsonText::of(&at).unwrap());
                let change = Change::of_data(edits);
                let none = SubjectLimit::NONE;
                let answer = store
                    .update(id, Expect::Security(1), change, none, now())
                    .await;
                assert!(matches!(answer, Ok(Updated::Done { .. })), "{answer:?}");
            }
        })
        .await
    }
}

/// Seconds of processor time that client and server have used.
fn spent(server: &Redis) -> f64 {
    let ours: Duration = clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap();
    let info = server.cli(["info", "cpu"]);
    let field = |name: &str| -> f64 {
        let line = info.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().parse().unwrap()
    };
    ours.as_secs_f64() + field("used_cpu_sys:") + field("used_cpu_user:")
}

fn used(server: &Redis) -> f64 {
    let info = server.cli(["info", "memory"]);
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    line.unwrap().trim().parse().unwrap()
}

/// Memory of one session.
async fn bytes(server: &Redis, bench: &Bench, count: usize, subject: bool) -> f64 {
    let before = used(server);
    let mut left = count;
    while left > 0 {
        let some = left.min(64);
        let creating = (0..some).map(|at| {
            let record = record(subject.then_some(1_000_000 + left + at));
            bench.store.create(record, SubjectLimit::default(), now())
        });
        for created in futures_util::future::join_all(creating).await {
            created.unwrap();
        }
        left -= some;
    }
    (used(server) - before) / count as f64
}

/// What each turn made a second, and what one operation cost of client and server, in microseconds.
async fn rounds(server: &Redis, bench: &Bench) -> (Vec<[f64; 7]>, Vec<[f64; 7]>) {
    let mut turns: Vec<[f64; 7]> = Vec::new();
    let mut costs: Vec<[f64; 7]> = Vec::new();
    for number in 0..TURNS {
        let (mut turn, mut cost) = ([0.0; 7], [0.0; 7]);
        for step in 0..7 {
            let what = (number + step) % 7;
            let before = spent(server);
            let start = Instant::now();
            turn[what] = match what {
                0 => bench.raw("GET", "raw", 0).await,
                1 => bench.load().await,
                2 => bench.raw("MGET", "raw", 2).await,
                3 => bench.raw("HGETALL", "hash", 0).await,
                4 => bench.raw_set().await,
                5 => bench.update(false).await,
                _ => bench.update(true).await,
            };
            let count = turn[what] * start.elapsed().as_secs_f64();
            cost[what] = (spent(server) - before) * 1e6 / count;
        }
        turns.push(turn);
        costs.push(cost);
    }
    (turns, costs)
}

fn rates(turns: &[[f64; 7]], costs: &[[f64; 7]]) -> Vec<(&'static str, f64)> {
    let mut figures = Vec::new();
    let keys_us = [
        "raw_get_us",
        "store_load_us",
        "raw_mget_us",
        "raw_hgetall_us",
        "raw_set_us",
        "store_update_us",
        "store_load_update_us",
    ];
    let keys = [
        "raw_get",
        "store_load",
        "raw_mget",
        "raw_hgetall",
        "raw_set",
        "store_update",
        "store_load_update",
    ];
    for (at, key) in keys.into_iter().enumerate() {
        figures.push((key, middle(turns.iter().map(|turn| turn[at]).collect())));
    }
    for (at, key) in keys_us.into_iter().enumerate() {
        figures.push((key, middle(costs.iter().map(|cost| cost[at]).collect())));
    }
    let saved = |over: usize, under: usize| {
        middle(costs.iter().map(|cost| cost[under] / cost[over]).collect())
    };
    figures.push(("load_cpu_ratio", saved(1, 0)));
    figures.push(("update_cpu_ratio", saved(5, 4)));
    let ratio = |over: usize, under: usize| {
        middle(turns.iter().map(|turn| turn[over] / turn[under]).collect())
    };
    figures.push(("load_ratio", ratio(1, 0)));
    figures.push(("update_ratio", ratio(5, 4)));
    figures
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let sessions = arguments.iter().find_map(|argument| argument.parse().ok());
    let server = Redis::single::<&str>([]);
    let bench = Bench::new(&server).await;
    let (turns, costs) = rounds(&server, &bench).await;
    let mut figures = rates(&turns, &costs);
    let sessions = sessions.unwrap_or(50_000);
    figures.push((
        "bytes_anonymous",
        bytes(&server, &bench, sessions, false).await,
    ));
    figures.push((
        "bytes_subject",
        bytes(&server, &bench, sessions, true).await,
    ));
    if json {
        let figures: serde_json::Map<_, _> = figures
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.into()))
            .collect();
        println!("{}", serde_json::json!({ "figures": figures }));
    } else {
        for (key, value) in figures {
            println!("{key:<20} {value:>14.3}");
        }
    }
}
