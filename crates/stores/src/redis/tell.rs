//! Tells a near cache what other nodes change: the servers push the keys that were written (client-side caching in its
//! broadcasting mode), each on a connection of its own that also answers heartbeats.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{PushInfo, PushKind, Value, cmd};
use cloakroom_core::store::{LAG, StoreError};
use futures_util::future::try_join_all;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::RedisStore;
use super::error::{of, unavailable};
use super::inner::Inner;
use super::keys::{About, Keys};
use super::link::jittered;
use super::options::Endpoint;
use crate::near_cache::{Channel, Sink, Tells};

/// Between two heartbeats. Each proves the one before, so what is proven is at most two of them and two round trips old.
const BEAT: Duration = Duration::from_millis(200);
/// Before a broken channel is opened again.
const PAUSE: Duration = Duration::from_millis(500);

impl Tells for RedisStore {
    fn tell(self: &Arc<Self>, sink: Sink) {
        tokio::spawn(run(Arc::downgrade(&self.inner), sink));
    }
}

async fn run(inner: Weak<Inner>, sink: Sink) {
    let mut warned = false;
    while !sink.is_closed() {
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = follow(&inner, &sink).await {
            // A server that is away is told of by others. One that does not push stays so.
            if !warned && error.kind() == cloakroom_core::store::ErrorKind::Denied {
                tracing::warn!(%error, "Redis does not tell what changes; records are near for a second only");
                warned = true;
            }
            tracing::debug!(%error, "the channel of a near cache broke");
        }
        drop(inner);
        sleep(jittered(PAUSE)).await;
    }
}

/// What the servers push ends up here, called by the connections in the order in which they read.
struct Ear {
    keys: Keys,
    channel: OnceLock<Channel>,
    broken: Notify,
}

impl Ear {
    fn hear(&self, info: &PushInfo) {
        match (&info.kind, self.channel.get()) {
            (PushKind::Disconnection, _) => self.broken.notify_one(),
            (PushKind::Invalidate, Some(channel)) => match info.data.first() {
                Some(Value::Array(keys)) => keys.iter().for_each(|key| self.key(channel, key)),
                // The server was emptied.
                _ => channel.everything(),
            },
            _ => {}
        }
    }

    fn key(&self, channel: &Channel, key: &Value) {
        let Value::BulkString(key) = key else {
            return channel.everything();
        };
        match self.keys.about(key) {
            About::Session(id) => channel.session(id),
            About::Denied(scope) => channel.denied(&scope),
            About::Nothing => {}
            About::Unclear => channel.everything(),
        }
    }
}

/// Keeps a channel open until something breaks, or the servers are others.
async fn follow(inner: &Inner, sink: &Sink) -> Result<(), StoreError> {
    let servers = servers(inner);
    let ear = Arc::new(Ear {
        keys: inner.keys.clone(),
        channel: OnceLock::new(),
        broken: Notify::new(),
    });
    let connecting = servers.iter().map(|to| track(inner, to, &ear));
    let mut connections = try_join_all(connecting).await?;
    // All servers push from here on.
    let channel = ear.channel.get_or_init(|| sink.open(true));
    let mut before: Option<Instant> = None;
    loop {
        let sent = Instant::now();
        let beating = connections.iter_mut().map(beat);
        tokio::select! {
            beaten = try_join_all(beating) => beaten?,
            () = ear.broken.notified() => return Err(unavailable("the connection ended")),
        };
        // The server pushes at the end of a turn, after the answers of that turn. So what was committed before a heartbeat
        // was sent has surely been pushed before the answer to the next one.
        if let Some(before) = before.replace(sent) {
            channel.proven(before);
        }
        if sink.is_closed() || self::servers(inner) != servers {
            return Ok(());
        }
        tokio::select! {
            () = sleep(BEAT) => {}
            () = ear.broken.notified() => return Err(unavailable("the connection ended")),
        }
    }
}

fn servers(inner: &Inner) -> Vec<Endpoint> {
    let map = inner.router.map();
    map.links.iter().map(|link| link.to.clone()).collect()
}

/// A connection on which `to` pushes every change under our prefix.
async fn track(
    inner: &Inner,
    to: &Endpoint,
    ear: &Arc<Ear>,
) -> Result<MultiplexedConnection, StoreError> {
    let ear = Arc::clone(ear);
    let connecting = inner.router.dial.listen(to, move |info| ear.hear(&info));
    let mut connection = in_time(connecting).await?;
    let mut tracking = cmd("CLIENT");
    tracking.arg("TRACKING").arg("ON").arg("BCAST");
    for prefix in inner.keys.prefixes() {
        tracking.arg("PREFIX").arg(prefix);
    }
    in_time(tracking.query_async::<()>(&mut connection)).await?;
    Ok(connection)
}

async fn beat(connection: &mut MultiplexedConnection) -> Result<(), StoreError> {
    in_time(cmd("PING").query_async::<()>(connection)).await
}

async fn in_time<T>(work: impl Future<Output = ::redis::RedisResult<T>>) -> Result<T, StoreError> {
    match timeout(LAG, work).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(of(error)),
        Err(_) => Err(unavailable("Redis does not answer in time")),
    }
}
