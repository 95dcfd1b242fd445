//! Which server to ask for a slot, and what to do when it says another.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, ErrorKind as Cause, Pipeline, RedisError, RedisResult, ServerErrorKind, Value};
use cloakroom_core::store::StoreError;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use tokio::time::{Duration, sleep};

use super::error::{not_done, of, unavailable};
use super::keys::SLOTS;
use super::link::{Dial, Link, Lost, STRICT, jittered};
use super::options::{Endpoint, Options, Topology};
use super::script::Script;

/// Times a command is sent again, to whomever the servers name, or when they ask to wait; the deadline ends it before.
const HOPS: usize = 64;
/// Before a command is sent again where the servers are about to agree.
const MOMENT: Duration = Duration::from_millis(20);

/// Who serves which slot.
#[derive(Debug)]
pub(super) struct Map {
    /// For each slot a place in `links`; one entry where one server has all.
    slots: Vec<u16>,
    pub(super) links: Vec<Arc<Link>>,
}

impl Map {
    pub(super) fn link(&self, slot: u16) -> Option<&Arc<Link>> {
        let place = self.slots.get(usize::from(slot)).or(self.slots.first())?;
        self.links.get(usize::from(*place))
    }
}

/// How a command is to be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// May be sent again where the answer was lost.
    Repeat,
    /// Must not: a second time would be answered differently.
    Once,
    /// May be sent again, and is answered when replicas have it.
    Kept,
}

#[derive(Debug)]
pub(super) struct Router {
    pub(super) topology: Topology,
    pub(super) dial: Arc<Dial>,
    pub(super) to_sentinels: Dial,
    map: RwLock<Arc<Map>>,
    /// Every server that we ever spoke to and may again.
    known: Mutex<HashMap<Endpoint, Arc<Link>>>,
    /// The map is doubted; the keeper looks.
    pub(super) doubt: AtomicBool,
    pub(super) wake: Notify,
    replicas: Option<u32>,
    strict: bool,
    warned: Mutex<Option<Instant>>,
    turn: std::sync::atomic::AtomicUsize,
}

impl Router {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            topology: options.topology.clone(),
            dial: Arc::new(Dial::of(options)),
            to_sentinels: Dial::of_sentinels(options),
            map: RwLock::new(Arc::new(Map {
                slots: Vec::new(),
                links: Vec::new(),
            })),
            known: Mutex::default(),
            doubt: AtomicBool::new(false),
            wake: Notify::new(),
            replicas: options.replicas,
            strict: options.strict_replicas,
            warned: Mutex::default(),
            turn: Default::default(),
        }
    }

    /// Whether one server has every key, so that one command may name keys of different slots.
    pub(super) fn is_one(&self) -> bool {
        !matches!(self.topology, Topology::Cluster(_))
    }

    pub(super) fn map(&self) -> Arc<Map> {
        Arc::clone(&self.map.read())
    }

    /// The connection to a server, made where there is none.
    pub(super) fn link_to(&self, to: &Endpoint) -> Arc<Link> {
        let mut known = self.known.lock();
        let link = known.entry(to.clone());
        let make = || Link::new(to.clone(), Arc::clone(&self.dial));
        Arc::clone(link.or_insert_with(make))
    }

    /// Takes over who serves what: pairs of a range of slots and its server. Answers whether a slot changed hands.
    pub(super) fn adopt(&self, ranges: &[(u16, u16, Endpoint)]) -> bool {
        let mut slots = vec![u16::MAX; usize::from(SLOTS)];
        let mut links: Vec<Arc<Link>> = Vec::new();
        for (from, to, server) in ranges {
            let link = self.link_to(server);
            let place = links.iter().position(|known| known.to == link.to);
            let place = place.unwrap_or_else(|| {
                links.push(link);
                links.len() - 1
            });
            for slot in *from..=*to {
                if let Some(entry) = slots.get_mut(usize::from(slot)) {
                    *entry = u16::try_from(place).unwrap_or(u16::MAX);
                }
            }
        }
        let new = Map { slots, links };
        let mut map = self.map.write();
        let server = |map: &Map, slot| map.link(slot).map(|link| link.to.clone());
        let same = |slot| match (map.link(slot), new.link(slot)) {
            (Some(old), Some(new)) => old.to == new.to,
            _ => server(&map, slot) == server(&new, slot),
        };
        let changed = !map.links.is_empty() && !(0..SLOTS).all(same);
        let keep: Vec<Endpoint> = new.links.iter().map(|link| link.to.clone()).collect();
        self.known.lock().retain(|to, _| keep.contains(to));
        *map = Arc::new(new);
        changed
    }

    /// Asks the keeper to look who serves what.
    pub(super) fn doubt(&self) {
        self.doubt.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    pub(super) fn link(&self, slot: u16) -> Result<Arc<Link>, StoreError> {
        let link = self.map.read().link(slot).map(Arc::clone);
        link.ok_or_else(|| unavailable("no Redis server has these keys"))
    }

    /// Sends a plain command that changes nothing.
    pub(super) async fn read(&self, slot: u16, cmd: &Cmd) -> Result<Value, StoreError> {
        self.call(slot, cmd, None, Care::Repeat).await
    }

    /// Calls a script.
    pub(super) async fn run(
        &self,
        slot: u16,
        script: &'static Script,
        cmd: &Cmd,
        care: Care,
    ) -> Result<Value, StoreError> {
        self.call(slot, cmd, Some(script), care).await
    }

    /// Sends `cmd` until a server has carried it out, within the deadline.
    pub(super) async fn call(
        &self,
        slot: u16,
        cmd: &Cmd,
        script: Option<&'static Script>,
        care: Care,
    ) -> Result<Value, StoreError> {
        let until = Instant::now() + self.dial.deadline;
        let mut link = self.link(slot)?;
        let mut asking = false;
        let mut full = None;
        let mut again = care != Care::Once;
        for _ in 0..HOPS {
            let cmd = full.as_ref().unwrap_or(cmd);
            let error = match self.send(&link, cmd, asking, care).await {
                Ok(answer) => return Ok(answer),
                Err(Lost::NotSent(error)) => {
                    self.doubt();
                    return Err(error);
                }
                Err(Lost::Unknown(error)) => {
                    if !again || Instant::now() >= until {
                        self.doubt();
                        return Err(error);
                    }
                    again = false;
                    continue;
                }
                Err(Lost::Refused(error)) => error,
            };
            if let (Cause::Server(ServerErrorKind::NoScript), Some(script)) = (error.kind(), script)
            {
                full = Some(script.in_full(cmd));
                continue;
            }
            asking = false;
            match (error.kind(), script) {
                (Cause::Server(ServerErrorKind::Moved | ServerErrorKind::Ask), _) => {
                    let Some(to) = redirected(&error, &link.to) else {
                        return Err(of(error));
                    };
                    link = self.link_to(&to);
                    asking = matches!(error.kind(), Cause::Server(ServerErrorKind::Ask));
                    if !asking {
                        self.doubt();
                    }
                }
                _ if not_done(&error) => {
                    self.doubt();
                    if Instant::now() + MOMENT >= until {
                        return Err(of(error));
                    }
                    sleep(jittered(MOMENT)).await;
                    link = self.link(slot)?;
                }
                _ => return Err(of(error)),
            }
        }
        Err(unavailable("Redis servers send us from one to the other"))
    }

    async fn send(
        &self,
        link: &Arc<Link>,
        cmd: &Cmd,
        asking: bool,
        care: Care,
    ) -> Result<Value, Lost> {
        let there = link.replicas.load(std::sync::atomic::Ordering::Relaxed);
        let wanted = self.replicas.unwrap_or(1).min(if self.replicas.is_some() {
            u32::MAX
        } else {
            there
        });
        if care == Care::Kept && wanted > 0 && !asking {
            return self.send_kept(link, cmd, wanted).await;
        }
        if !asking {
            return link
                .send(0, async |connection| {
                    value(connection.send_packed_command(cmd).await?)
                })
                .await;
        }
        let mut both = Pipeline::new();
        both.cmd("ASKING").add_command(cmd.clone());
        link.send(0, async |connection| last(connection, &both).await)
            .await
    }

    /// Sends a security write, and waits for replicas to have it.
    async fn send_kept(&self, link: &Arc<Link>, cmd: &Cmd, wanted: u32) -> Result<Value, Lost> {
        let lane = 1 + self.turn.fetch_add(1, Ordering::Relaxed) % STRICT;
        let patience = self.dial.deadline / 2;
        let patience = u64::try_from(patience.as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        let mut both = Pipeline::new();
        both.add_command(cmd.clone())
            .cmd("WAIT")
            .arg(wanted)
            .arg(patience);
        let sent = async |connection: &mut MultiplexedConnection| {
            let answers = connection.send_packed_commands(&both, 0, 2).await?;
            let [answer, reached] = <[Value; 2]>::try_from(answers).unwrap_or_default();
            Ok((value(answer)?, value(reached)?))
        };
        let (answer, reached) = link.send(lane, sent).await?;
        let reached = match reached {
            Value::Int(reached) => u32::try_from(reached).unwrap_or(0),
            _ => 0,
        };
        if reached < wanted {
            self.warn(&link.to, reached, wanted);
            if self.strict {
                let error = unavailable("too few replicas have a security write");
                return Err(Lost::Unknown(error));
            }
        }
        Ok(answer)
    }

    /// At most once in ten seconds.
    fn warn(&self, to: &Endpoint, reached: u32, wanted: u32) {
        let mut warned = self.warned.lock();
        if warned.is_none_or(|before| before.elapsed() > Duration::from_secs(10)) {
            *warned = Some(Instant::now());
            tracing::warn!(server = %to, reached, wanted, "a security write reached too few replicas in time");
        }
    }
}

/// An error that stands in an answer is one.
pub(super) fn value(value: Value) -> RedisResult<Value> {
    match value {
        Value::ServerError(error) => Err(error.into()),
        value => Ok(value),
    }
}

async fn last(connection: &mut MultiplexedConnection, both: &Pipeline) -> RedisResult<Value> {
    let mut answers = connection.send_packed_commands(both, 0, 2).await?;
    value(answers.pop().unwrap_or_default())
}

/// Where a server sends us; it leaves its own host out.
fn redirected(error: &RedisError, from: &Endpoint) -> Option<Endpoint> {
    let (to, _) = error.redirect_node()?;
    if let Some(port) = to.strip_prefix(':') {
        let host = from.host.clone();
        return Some(Endpoint {
            host,
            port: port.parse().ok()?,
        });
    }
    // An IPv6 address stands there without brackets.
    let (host, port) = to.rsplit_once(':')?;
    let host = host.trim_matches(['[', ']']).into();
    Some(Endpoint {
        host,
        port: port.parse().ok()?,
    })
}
