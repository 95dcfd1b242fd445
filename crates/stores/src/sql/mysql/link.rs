//! Connections: a few that are kept, a deadline for each operation, and what happens when they break.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use cloakroom_core::Timestamp;
use cloakroom_core::store::StoreError;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, Value};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::verbs::revisions::Revisions;
use super::super::verbs::touches::Pending;
use super::breaker::{Breaker, Probe};
use super::error::{Remedy, is_duplicate, of_mysql, remedy, unavailable};
use super::options::Options;
use super::recent::Recent;
use super::schema;
use super::transaction::Rows;
use super::values::params;

/// A connection that rested longer is asked whether it still works before it is given work.
const RESTED: Duration = Duration::from_secs(1);
/// How often a transaction is tried that the server rolled back for another one.
const TRIES: u32 = 6;

/// What the store's handle and its background work share.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) pending: Pending,
    pub(super) recent: Recent,
    pub(super) revisions: Revisions,
    /// The counter of the latest hard cap has reached this.
    cap: AtomicI64,
    client: Opts,
    breaker: Breaker,
    idle: Mutex<Vec<(Conn, Instant)>>,
    turns: Arc<Semaphore>,
}

/// A connection that is in use. Unless it is given back it is closed, and what it had not committed is undone.
pub(super) struct Lease {
    pub(super) conn: Conn,
    /// It was in use before, so that it may have been lost meanwhile.
    used: bool,
    turn: OwnedSemaphorePermit,
}

impl Shared {
    pub(super) fn new(options: Options) -> Self {
        Self {
            pending: Pending::default(),
            recent: Recent::default(),
            revisions: Revisions::default(),
            cap: AtomicI64::new(i64::MIN),
            client: options.client(),
            breaker: Breaker::default(),
            idle: Mutex::default(),
            turns: Arc::new(Semaphore::new(options.connections.max(1))),
            options,
        }
    }

    pub(super) fn known_cap(&self) -> Timestamp {
        Timestamp::from_millis(self.cap.load(Ordering::Relaxed))
    }

    pub(super) fn reached_cap(&self, cap: Timestamp) {
        self.cap.fetch_max(cap.as_millis(), Ordering::Relaxed);
    }

    async fn lease(&self, turn: OwnedSemaphorePermit) -> Result<Lease, StoreError> {
        while let Some((mut conn, since)) = self.pop() {
            if since.elapsed() < RESTED || conn.ping().await.is_ok() {
                return Ok(Lease {
                    conn,
                    used: true,
                    turn,
                });
            }
        }
        match Conn::new(self.client.clone()).await {
            Ok(conn) => Ok(Lease {
                conn,
                used: false,
                turn,
            }),
            Err(error) => Err(self.lost(error, "connecting to the database")),
        }
    }

    fn pop(&self) -> Option<(Conn, Instant)> {
        self.idle.lock().pop()
    }

    /// A failure, noted where it means that the server is out of reach.
    fn lost(&self, error: mysql_async::Error, what: &'static str) -> StoreError {
        if remedy(&error) == Remedy::Reconnect {
            self.forget_idle();
            self.breaker.failed();
        }
        of_mysql(error, what)
    }

    /// What rests was opened to the server that was just lost.
    fn forget_idle(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle);
    }

    /// Does one statement, within the deadline. `again` says that it may be done twice: it only reads.
    pub(super) async fn statement(
        &self,
        again: Again,
        sql: &str,
        values: Vec<Value>,
        what: &'static str,
    ) -> Result<Done, StoreError> {
        let turn = self.turn().await?;
        let work = async {
            let mut lease = self.lease(turn.permit).await?;
            let mut done = run(&mut lease.conn, sql, &values).await;
            if let Err(error) = &done
                && remedy(error) == Remedy::Reconnect
                && lease.used
                && again == Again::Allowed
            {
                self.forget_idle();
                lease = self.lease(lease.turn).await?;
                done = run(&mut lease.conn, sql, &values).await;
            }
            for tries in 1..TRIES {
                // Rolled back whole for another one, so that it may be done again.
                match &done {
                    Err(error) if remedy(error) == Remedy::Again => {}
                    _ => break,
                }
                tokio::time::sleep(Duration::from_millis(u64::from(tries))).await;
                done = run(&mut lease.conn, sql, &values).await;
            }
            match done {
                Err(error) if remedy(&error) == Remedy::Reconnect => Err(self.lost(error, what)),
                done => {
                    self.give_back(lease);
                    done.map_err(|error| of_mysql(error, what))
                }
            }
        };
        self.until(turn.begun, turn.probe, work).await
    }

    /// Ends a transaction in which a verb answered this; `None`: it is to be tried again on the new `rows`.
    pub(super) async fn end<T>(
        self: &Arc<Self>,
        rows: &mut Option<Rows>,
        tries: u32,
        answer: Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let Some(ending) = rows.take() else {
            return Err(unavailable("a transaction was not kept"));
        };
        let ended = match ending.end(answer.is_ok()).await {
            Ok(ended) => ended,
            // What failed first says why.
            Err(error) => {
                let error = self.lost(error, "ending a transaction");
                return Err(answer.err().unwrap_or(error));
            }
        };
        if !ended.again || tries >= TRIES {
            self.give_back(ended.lease);
            if ended.again && answer.is_ok() {
                return Err(unavailable("a transaction met others again and again"));
            }
            if answer.is_ok() {
                self.reached_cap(ended.cap);
            }
            return answer.map(Some);
        }
        // Those who met do not meet again in step.
        tokio::time::sleep(Duration::from_millis(u64::from(tries))).await;
        let lease = self.begin_on(ended.lease).await?;
        *rows = Some(Rows::new(Arc::clone(self), lease));
        Ok(None)
    }

    /// Begins a transaction.
    pub(super) async fn begin(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Rows, StoreError> {
        let mut lease = self.lease(permit).await?;
        if lease.conn.query_drop(BEGIN).await.is_err() {
            self.forget_idle();
            let other = self.lease(lease.turn).await?;
            lease = self.begin_on(other).await?;
        }
        Ok(Rows::new(Arc::clone(self), lease))
    }

    async fn begin_on(&self, mut lease: Lease) -> Result<Lease, StoreError> {
        match lease.conn.query_drop(BEGIN).await {
            Ok(()) => Ok(lease),
            Err(error) => Err(self.lost(error, "beginning a transaction")),
        }
    }

    /// Looks at the server and prepares the database; may take longer than an operation.
    pub(super) async fn prepare(&self) -> Result<(), StoreError> {
        let preparing = async {
            let turn = Arc::clone(&self.turns).acquire_owned().await;
            let turn = turn.map_err(|_| unavailable("connecting to the database"))?;
            let mut lease = self.lease(turn).await?;
            schema::check_server(&mut lease.conn).await?;
            schema::migrate(&mut lease.conn).await?;
            self.give_back(lease);
            Ok(())
        };
        tokio::time::timeout(PREPARE, preparing)
            .await
            .unwrap_or_else(|_| Err(unavailable("preparing the database took too long")))
    }

    /// Waits for a connection to be free, if the server is in reach.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, StoreError> {
        let deadline = self.options.deadline;
        let probe = self
            .breaker
            .lets_through(deadline)
            .ok_or_else(|| unavailable("the database is out of reach"))?;
        let begun = tokio::time::Instant::now();
        let permit = Arc::clone(&self.turns).acquire_owned();
        match tokio::time::timeout(deadline, permit).await {
            Ok(Ok(permit)) => Ok(Turn {
                permit,
                begun,
                probe,
            }),
            _ => Err(unavailable("all connections to the database are busy")),
        }
    }

    /// Does `work`, within the deadline of what was begun then.
    pub(super) async fn until<T>(
        &self,
        begun: tokio::time::Instant,
        probe: Probe<'_>,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = tokio::time::timeout_at(begun + self.options.deadline, work).await;
        probe.done();
        answer.unwrap_or_else(|_| {
            self.breaker.was_slow();
            self.forget_idle();
            Err(unavailable("the database took too long"))
        })
    }

    fn give_back(&self, lease: Lease) {
        self.breaker.answered();
        self.idle.lock().push((lease.conn, Instant::now()));
    }
}

/// How long it may take to connect and to make the tables.
const PREPARE: Duration = Duration::from_secs(30);
/// The right to use a connection, and since when an operation has it.
pub(super) struct Turn<'s> {
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) begun: tokio::time::Instant,
    pub(super) probe: Probe<'s>,
}

/// Whether a statement may be done twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    Allowed,
    No,
}

/// What a statement did.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) rows: Vec<mysql_async::Row>,
    /// Rows that it changed.
    pub(super) changed: u64,
    /// It did nothing, as its row is there already.
    pub(super) duplicate: bool,
}

async fn run(conn: &mut Conn, sql: &str, values: &[Value]) -> Result<Done, mysql_async::Error> {
    match conn.exec(sql, params(values.to_vec())).await {
        Ok(rows) => Ok(Done {
            rows,
            changed: conn.affected_rows(),
            duplicate: false,
        }),
        Err(error) if is_duplicate(&error) => Ok(Done {
            duplicate: true,
            ..Done::default()
        }),
        Err(error) => Err(error),
    }
}

/// Does a verb in a transaction, within the deadline; what it answers is kept, where it fails nothing is. A macro, because
/// the futures of closures that borrow cannot be shown to be `Send`.
macro_rules! transact {
    ($shared:expr, |$rows:ident| $verb:expr) => {{
        let shared = &$shared;
        match shared.turn().await {
            Err(error) => Err(error),
            Ok(turn) => {
                let work = async {
                    let mut open = Some(shared.begin(turn.permit).await?);
                    let mut tries = 0;
                    loop {
                        tries += 1;
                        let answer = match &mut open {
                            Some($rows) => $verb.await,
                            None => Err(crate::sql::mysql::error::unavailable(
                                "beginning a transaction",
                            )),
                        };
                        if let Some(answer) = shared.end(&mut open, tries, answer).await? {
                            return Ok(answer);
                        }
                    }
                };
                shared.until(turn.begun, turn.probe, work).await
            }
        }
    }};
}
pub(super) use transact;

const BEGIN: &str = "START TRANSACTION";
