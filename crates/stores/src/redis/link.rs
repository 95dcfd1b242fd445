//! One server: its connections, and whether it answers.
//!
//! Requests never wait for a server that is known to be away: they are told so at once, while the keeper alone tries to
//! reach it again. A server that keeps its connections and does not answer is taken for away after a few calls that ran
//! into their deadline with no answer in between.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ::redis::aio::MultiplexedConnection;
use ::redis::io::tcp::TcpSettings;
use ::redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, IntoConnectionInfo as _,
    RedisConnectionInfo, RedisError, RedisResult, TlsCertificates, Value,
};
use cloakroom_core::store::StoreError;
use parking_lot::{Mutex, RwLock};
use tokio::time::timeout;

use super::error::{of, unavailable};
use super::options::{Endpoint, Options};

/// Calls in a row that may run into their deadline.
const SILENT_MAX: u32 = 3;
/// The least and the longest pause between two tries to reach a server.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// Answers about the time that count: a clock that was set back is followed after so many seconds.
const CLOCKS: usize = 8;
/// A login with TLS may take longer than a command.
const CONNECT: Duration = Duration::from_secs(1);
/// Connections for what waits for replicas: that blocks its connection, and nothing else shall wait behind it.
pub(super) const STRICT: usize = 4;

/// How to log in.
#[derive(Debug)]
pub(super) struct Dial {
    login: RedisConnectionInfo,
    tls: Option<TlsCertificates>,
    pub(super) deadline: Duration,
}

impl Dial {
    pub(super) fn of(options: &Options) -> Self {
        let user = options.user.as_deref();
        Self::with(options, user, options.password.as_deref(), options.db)
    }

    /// For sentinels, which have a login of their own.
    pub(super) fn of_sentinels(options: &Options) -> Self {
        Self::with(options, None, options.sentinel_password.as_deref(), 0)
    }

    fn with(options: &Options, user: Option<&str>, password: Option<&str>, db: i64) -> Self {
        let mut login = RedisConnectionInfo::default()
            .set_db(db)
            .set_skip_set_lib_name();
        if let Some(user) = user {
            login = login.set_username(user);
        }
        if let Some(password) = password {
            login = login.set_password(password);
        }
        let tls = options.tls.as_ref().map(|tls| TlsCertificates {
            client_tls: tls.client.as_ref().map(|(cert, key)| ClientTlsConfig {
                client_cert: cert.clone(),
                client_key: key.clone(),
            }),
            root_cert: tls.ca.clone(),
        });
        Self {
            login,
            tls,
            deadline: options.deadline,
        }
    }

    pub(super) async fn connect(&self, to: &Endpoint) -> RedisResult<MultiplexedConnection> {
        self.client(to, self.login.clone())?
            .get_multiplexed_async_connection_with_config(&config())
            .await
    }

    /// A connection on which the server may push; `hear` is called with what it does, in its order with answers.
    #[cfg(feature = "near_cache")]
    pub(super) async fn listen(
        &self,
        to: &Endpoint,
        hear: impl Fn(::redis::PushInfo) + Send + Sync + 'static,
    ) -> RedisResult<MultiplexedConnection> {
        let login = self.login.clone();
        let login = login.set_protocol(::redis::ProtocolVersion::RESP3);
        let hear = move |info| {
            hear(info);
            Ok::<(), std::convert::Infallible>(())
        };
        let config = config().set_push_sender(hear);
        self.client(to, login)?
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    fn client(&self, to: &Endpoint, login: RedisConnectionInfo) -> RedisResult<Client> {
        let (host, port) = (to.host.to_string(), to.port);
        let addr = match &self.tls {
            None => ConnectionAddr::Tcp(host, port),
            Some(_) => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: false,
                tls_params: None,
            },
        };
        let info = addr
            .into_connection_info()?
            .set_tcp_settings(TcpSettings::default().set_nodelay(true))
            .set_redis_settings(login);
        match &self.tls {
            None => Client::open(info),
            Some(tls) => Client::build_with_tls(info, tls.clone()),
        }
    }
}

fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(None)
}

/// A server as this node sees it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) to: Endpoint,
    dial: Arc<Dial>,
    lanes: [Lane; 1 + STRICT],
    /// Calls in a row that nothing came back from.
    silent: AtomicU32,
    /// It is away; the keeper tries at that moment again.
    away: RwLock<Option<Away>>,
    is_away: AtomicBool,
    /// How far its clock is ahead of ours, in milliseconds.
    ahead: AtomicI64,
    /// The same by its last answers.
    clocks: Mutex<VecDeque<i64>>,
    /// Replicas that are connected to it.
    pub(super) replicas: AtomicU32,
    /// The run of the server that we knew last; another one may have forgotten.
    run: Mutex<Option<String>>,
}

#[derive(Debug, Clone, Copy)]
struct Away {
    again: Instant,
    pause: Duration,
}

#[derive(Debug, Default)]
struct Lane {
    connection: RwLock<Option<MultiplexedConnection>>,
    connecting: Arc<tokio::sync::Mutex<()>>,
}

/// Why nothing came back.
#[derive(Debug)]
pub(super) enum Lost {
    /// Nothing was sent.
    NotSent(StoreError),
    /// It may have happened or not.
    Unknown(StoreError),
    /// The server answered with an error.
    Refused(RedisError),
}

impl Link {
    pub(super) fn new(to: Endpoint, dial: Arc<Dial>) -> Arc<Self> {
        Arc::new(Self {
            to,
            dial,
            lanes: Default::default(),
            silent: AtomicU32::new(0),
            away: RwLock::new(None),
            is_away: AtomicBool::new(false),
            ahead: AtomicI64::new(0),
            clocks: Mutex::default(),
            replicas: AtomicU32::new(0),
            run: Mutex::new(None),
        })
    }

    pub(super) fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// The server's time, as far as we can know it: exact to half a round trip.
    pub(super) fn now(&self) -> i64 {
        local_now() + self.ahead.load(Ordering::Relaxed)
    }

    /// Takes over what the server said its time is. When that arrives it is later there, so of the last answers the one
    /// that was least on its way tells best.
    pub(super) fn set_clock(&self, theirs: i64) {
        let mut answers = self.clocks.lock();
        if answers.len() == CLOCKS {
            answers.pop_front();
        }
        answers.push_back(theirs - local_now());
        let ahead = answers.iter().copied().max().unwrap_or(0);
        self.ahead.store(ahead, Ordering::Relaxed);
    }

    /// Notes which run of the server answers; true where it is another one than before.
    pub(super) fn is_another_run(&self, run: &str) -> bool {
        let mut known = self.run.lock();
        let another = known.as_deref().is_some_and(|known| known != run);
        if known.as_deref() != Some(run) {
            *known = Some(run.to_owned());
        }
        another
    }

    /// Sends over lane `number` and waits for the answer.
    pub(super) async fn send<T>(
        self: &Arc<Self>,
        number: usize,
        work: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, Lost> {
        if self.is_away() {
            return Err(Lost::NotSent(unavailable("Redis is out of reach")));
        }
        let mut connection = self.lane(number).await.map_err(Lost::NotSent)?;
        match timeout(self.dial.deadline, work(&mut connection)).await {
            Ok(Ok(answer)) => {
                self.heard();
                Ok(answer)
            }
            Ok(Err(error)) if super::error::from_server(&error) => {
                self.heard();
                Err(Lost::Refused(error))
            }
            Ok(Err(error)) => {
                self.drop_lane(number);
                Err(Lost::Unknown(of(error)))
            }
            Err(_) => {
                if self.silent.fetch_add(1, Ordering::Relaxed) + 1 >= SILENT_MAX {
                    self.trip();
                }
                Err(Lost::Unknown(unavailable("Redis does not answer in time")))
            }
        }
    }

    fn heard(&self) {
        if self.silent.load(Ordering::Relaxed) != 0 {
            self.silent.store(0, Ordering::Relaxed);
        }
    }

    async fn lane(self: &Arc<Self>, number: usize) -> Result<MultiplexedConnection, StoreError> {
        if let Some(connection) = &*self.lanes[number].connection.read() {
            return Ok(connection.clone());
        }
        let waiting = self.connect_lane(number);
        timeout(self.dial.deadline, waiting)
            .await
            .unwrap_or_else(|_| Err(unavailable("Redis takes no connection in time")))
    }

    /// Connects, or waits for whoever does. It goes on where the caller gives up.
    async fn connect_lane(
        self: &Arc<Self>,
        number: usize,
    ) -> Result<MultiplexedConnection, StoreError> {
        let link = Arc::clone(self);
        let guard = Arc::clone(&self.lanes[number].connecting)
            .lock_owned()
            .await;
        let connecting = async move {
            let _guard = guard;
            if let Some(connection) = &*link.lanes[number].connection.read() {
                return Ok(connection.clone());
            }
            match link.dial.connect(&link.to).await {
                Ok(connection) => {
                    *link.lanes[number].connection.write() = Some(connection.clone());
                    Ok(connection)
                }
                Err(error) => {
                    link.trip();
                    Err(of(error))
                }
            }
        };
        let joined = tokio::spawn(connecting).await;
        joined.unwrap_or_else(|_| Err(unavailable("connecting to Redis")))
    }

    fn drop_lane(&self, number: usize) {
        *self.lanes[number].connection.write() = None;
    }

    /// It is away from now on.
    pub(super) fn trip(&self) {
        let mut away = self.away.write();
        let pause = away.map_or(PAUSE.0, |away| (away.pause * 2).min(PAUSE.1));
        *away = Some(Away {
            again: Instant::now() + jittered(pause),
            pause,
        });
        self.is_away.store(true, Ordering::Relaxed);
        self.silent.store(0, Ordering::Relaxed);
        for number in 0..self.lanes.len() {
            self.drop_lane(number);
        }
    }

    /// Whether it is time to try again; only the keeper does.
    pub(super) fn is_due(&self) -> bool {
        self.away
            .read()
            .is_some_and(|away| away.again <= Instant::now())
    }

    /// Tries to reach it.
    pub(super) async fn probe(self: &Arc<Self>) -> Result<MultiplexedConnection, StoreError> {
        let reached = timeout(CONNECT, self.connect_lane(0)).await;
        match reached {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                self.trip();
                Err(unavailable("Redis takes no connection in time"))
            }
        }
    }

    /// It may be used again.
    pub(super) fn is_back(&self) {
        *self.away.write() = None;
        self.silent.store(0, Ordering::Relaxed);
        self.is_away.store(false, Ordering::Relaxed);
    }

    /// What the server says about itself: its run, its role, its memory and its disk. Empty where it does not tell.
    pub(super) async fn info(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<String, StoreError> {
        let asking = async {
            match ::redis::cmd("INFO").query_async(connection).await {
                Ok(Value::BulkString(text)) => Ok(String::from_utf8_lossy(&text).into_owned()),
                Ok(Value::VerbatimString { text, .. }) => Ok(text),
                Ok(_) => Ok(String::new()),
                Err(error) if error.code() == Some("NOPERM") => Ok(String::new()),
                Err(error) => Err(of(error)),
            }
        };
        timeout(CONNECT, asking)
            .await
            .unwrap_or_else(|_| Err(unavailable("Redis does not answer in time")))
    }
}

/// A line of what `INFO` says.
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

/// Our own time, which does not jump: the wall's when first asked, then as the machine counts.
fn local_now() -> i64 {
    static START: LazyLock<(Instant, i64)> = LazyLock::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        (Instant::now(), millis(since.unwrap_or_default()))
    });
    START.1.saturating_add(millis(START.0.elapsed()))
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// Half to three halves of `pause`, so that nodes do not come all at once.
pub(super) fn jittered(pause: Duration) -> Duration {
    let chance = RandomState::new().hash_one(0) % 1024;
    pause.mul_f64(0.5 + chance as f64 / 1024.0)
}
