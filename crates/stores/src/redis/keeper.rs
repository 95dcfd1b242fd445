//! The keeper: a task that knows who serves what, tries to reach servers that are away, reads their clocks, and says again
//! what a promoted server may not have. No request does any of this.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use ::redis::{Pipeline, Value};
use cloakroom_core::store::StoreError;
use futures_util::future::join_all;

use super::error::{denied, unavailable};
use super::inner::Inner;
use super::link::{Link, field};
use super::options::Topology;
use super::reassert::Said;
use super::route::Care;
use super::script::REASSERT;

/// How often it looks where all is well, and where something is not.
const CALM: Duration = Duration::from_secs(1);
const UNREST: Duration = Duration::from_millis(50);
/// How often it asks who serves what, at most, and where nothing seems wrong at least.
const ASK: Duration = Duration::from_millis(100);
const ASK_CALM: Duration = Duration::from_secs(15);

/// Runs until the store is dropped.
pub(super) async fn run(inner: Weak<Inner>) {
    let (mut asked, mut ticked) = (Instant::now(), Instant::now());
    loop {
        {
            let Some(inner) = inner.upgrade() else { return };
            let restless = inner.is_restless();
            let wait = if restless { UNREST } else { CALM };
            // Woken or not, it looks.
            let _ = tokio::time::timeout(wait, inner.router.wake.notified()).await;
        }
        let Some(inner) = inner.upgrade() else { return };
        let restless = inner.is_restless();
        let often = match inner.router.topology {
            Topology::Sentinel { .. } => CALM,
            _ => ASK_CALM,
        };
        if asked.elapsed() >= if restless { ASK } else { often } {
            asked = Instant::now();
            inner.router.doubt.store(false, Ordering::Relaxed);
            if let Err(error) = inner.look().await {
                tracing::debug!(%error, "nobody says who serves what");
            }
        }
        inner.reach_out().await;
        if ticked.elapsed() >= CALM {
            ticked = Instant::now();
            inner.tick().await;
        }
    }
}

impl Inner {
    fn is_restless(&self) -> bool {
        self.router.doubt.load(Ordering::Relaxed)
            || self.router.map().links.iter().any(|link| link.is_away())
    }

    /// Learns who serves what; says again what was said where a slot changed hands.
    pub(super) async fn look(&self) -> Result<(), StoreError> {
        let is_single = matches!(self.router.topology, Topology::Single(_));
        if is_single && !self.router.map().links.is_empty() {
            return Ok(());
        }
        let all = |server| vec![(0, super::keys::SLOTS - 1, server)];
        let ranges = match &self.router.topology {
            Topology::Single(server) => all(server.clone()),
            Topology::Cluster(seeds) => self.router.ask_cluster(seeds).await?,
            Topology::Sentinel { sentinels, master } => {
                all(self.router.ask_sentinels(sentinels, master).await?)
            }
        };
        if self.router.adopt(&ranges) {
            let map = self.router.map();
            let greeting = map.links.iter().map(|link| self.greet_new(link));
            join_all(greeting).await;
            self.say_again().await;
        }
        Ok(())
    }

    async fn greet_new(&self, link: &Arc<Link>) {
        if let Ok(mut connection) = link.probe().await {
            // Whether it is another run matters not: what changed hands is said again anyway.
            if self.greet(link, &mut connection).await.is_err() {
                link.trip();
            }
        }
    }

    /// Tries to reach the servers that are away and due.
    async fn reach_out(&self) {
        let map = self.router.map();
        let due = map
            .links
            .iter()
            .filter(|link| link.is_away() && link.is_due());
        let trying = due.map(|link| async move {
            let mut connection = link.probe().await.ok()?;
            match self.greet(link, &mut connection).await {
                Ok(another) => {
                    link.is_back();
                    tracing::info!(server = %link.to, "Redis is back");
                    Some(another)
                }
                Err(_) => {
                    link.trip();
                    None
                }
            }
        });
        let back = join_all(trying).await;
        if back.into_iter().flatten().any(|another| another) {
            self.say_again().await;
        }
    }

    /// Looks at who answers: its role, its run, its clock, its replicas. True where it is another run than before.
    pub(super) async fn greet(
        &self,
        link: &Arc<Link>,
        connection: &mut MultiplexedConnection,
    ) -> Result<bool, StoreError> {
        let info = link.info(connection).await?;
        let is_replica = field(&info, "role") == Some("slave");
        if is_replica && !matches!(self.router.topology, Topology::Cluster(_)) {
            self.router.doubt();
            return Err(unavailable("this Redis server is a replica"));
        }
        let replicas = field(&info, "connected_slaves").and_then(|n| n.parse().ok());
        link.replicas
            .store(replicas.unwrap_or(0), Ordering::Relaxed);
        let time = async { ::redis::cmd("TIME").query_async::<Value>(connection).await };
        let time = tokio::time::timeout(CALM, time).await;
        if let Ok(Ok(time)) = time
            && let Some(time) = millis(&time)
        {
            link.set_clock(time);
        }
        Ok(field(&info, "run_id").is_some_and(|run| link.is_another_run(run)))
    }

    /// Reads clocks and roles.
    async fn tick(&self) {
        let map = self.router.map();
        let here = map.links.iter().filter(|link| !link.is_away());
        let ticking = here.map(|link| async move {
            let mut both = Pipeline::new();
            both.cmd("TIME").cmd("ROLE");
            let asked = async |connection: &mut MultiplexedConnection| {
                connection.send_packed_commands(&both, 0, 2).await
            };
            let Ok(answers) = link.send(0, asked).await else {
                self.router.doubt();
                return;
            };
            if let Some(time) = answers.first().and_then(millis) {
                link.set_clock(time);
            }
            // A user who may not ask for the role has none told.
            let Some(Value::Array(role)) = answers.get(1) else {
                return;
            };
            match role.first() {
                Some(Value::BulkString(word)) if word == b"master" => {
                    if let Some(Value::Array(replicas)) = role.get(2) {
                        let count = u32::try_from(replicas.len()).unwrap_or(0);
                        link.replicas.store(count, Ordering::Relaxed);
                    }
                }
                Some(_) => {
                    link.trip();
                    self.router.doubt();
                }
                None => {}
            }
        });
        join_all(ticking).await;
    }

    /// Says again what was said in the last minute.
    async fn say_again(&self) {
        let said = self.log.all();
        let (mut done, mut failed) = (0_u32, 0_u32);
        for some in said.chunks(64) {
            let saying = some.iter().cloned().map(|said| self.say_one(said));
            for outcome in join_all(saying).await {
                match outcome {
                    Ok(()) => done += 1,
                    Err(_) => failed += 1,
                }
            }
        }
        tracing::info!(
            done,
            failed,
            "said again what a promoted Redis server may not have"
        );
    }

    async fn say_one(&self, said: Said) -> Result<(), StoreError> {
        match said {
            Said::Ended(id) => self.end_again(id).await,
            Said::Raised { key, slot, epoch } => self.raise_again(slot, key, epoch).await,
            Said::Written(row) => {
                let id = row.record.id;
                let keys = [self.keys.record(id), self.keys.due(self.keys.bucket(id))];
                self.script(self.slot(id), &REASSERT, &keys, Care::Kept, |cmd| {
                    cmd.arg(id.as_bytes()).arg(&row.bytes[..]);
                })
                .await
                .map(drop)
            }
        }
    }

    /// Whether a server with this memory policy keeps what it is given.
    pub(super) async fn check_memory(
        &self,
        link: &Arc<Link>,
        connection: &mut MultiplexedConnection,
    ) -> Result<Durability, StoreError> {
        let info = link.info(connection).await?;
        let policy = field(&info, "maxmemory_policy").unwrap_or("noeviction");
        let bounded = field(&info, "maxmemory").is_some_and(|bytes| bytes != "0");
        if policy != "noeviction" && bounded {
            if !self.options.allow_eviction {
                return Err(denied(
                    "this Redis server evicts keys, and might forget a revocation: set maxmemory-policy to noeviction",
                ));
            }
            tracing::warn!(server = %link.to, policy, "this Redis server may forget sessions and revocations");
        }
        let appends = field(&info, "aof_enabled") == Some("1");
        let mut cmd = ::redis::cmd("CONFIG");
        cmd.arg("GET").arg("appendfsync");
        let asked = cmd.query_async::<Vec<String>>(connection).await;
        let always = asked.is_ok_and(|words| words.get(1).is_some_and(|word| word == "always"));
        Ok(Durability(appends && always))
    }
}

/// Whether what a server answered survives its crash, as it says itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Durability(pub(super) bool);

/// Reads the answer to `TIME`.
fn millis(answer: &Value) -> Option<i64> {
    let Value::Array(words) = answer else {
        return None;
    };
    let [Value::BulkString(seconds), Value::BulkString(micros)] = &words[..] else {
        return None;
    };
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<i64>().ok();
    Some(number(seconds)? * 1000 + number(micros)? / 1000)
}
