//! One connection: how it comes up, and what is prepared on it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cloakroom_core::store::StoreError;
use tokio::sync::OnceCell;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, NoTls, Row};

use super::error::{Failure, of_client, unavailable};
use super::options::{Options, Tls};
use super::statements::{COUNT, Statement};
use super::tls;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Reads,
    Writes,
    /// What may be lost by a crash, or takes long: touches, sweeps, listings.
    Chores,
    Notices,
}

impl Purpose {
    /// What is prepared before the connection is used.
    fn first(self) -> &'static [Statement] {
        match self {
            Self::Reads => &[Statement::Load],
            Self::Writes => &[Statement::Update, Statement::Create, Statement::Login],
            Self::Chores | Self::Notices => &[],
        }
    }
}

/// Parameters of a statement.
pub(super) type Values<'p> = [&'p (dyn ToSql + Sync)];

/// A connection that is up.
pub(super) struct Link {
    pub(super) client: Client,
    schema: String,
    prepared: [OnceCell<tokio_postgres::Statement>; COUNT],
    born: Instant,
    /// When it last answered, in milliseconds after it was born.
    answered: AtomicU64,
    /// It leads where it is no use; see [`Failure::misled`].
    misled: AtomicBool,
}

/// The other half of a connection: a future that carries its messages and ends with it.
pub(super) type Carrier = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
/// Where notices go.
pub(super) type Hearer = tokio::sync::mpsc::UnboundedSender<String>;

impl Link {
    /// Connects, sets the session up and prepares what will be asked most.
    pub(super) async fn connect(
        options: &Options,
        purpose: Purpose,
        hearer: Option<Hearer>,
    ) -> Result<(Self, Carrier), StoreError> {
        let whole = async {
            let (client, mut carrier) = open(options, hearer).await?;
            let set_up = async {
                if !options.transaction_pooler {
                    let settings = settings(options, purpose);
                    let set = client.batch_execute(&settings).await;
                    set.map_err(|error| of_client(error, "setting up a session").error)?;
                }
                let link = Self {
                    client,
                    schema: format!("\"{}\"", options.schema),
                    prepared: [const { OnceCell::const_new() }; COUNT],
                    born: Instant::now(),
                    answered: AtomicU64::new(0),
                    misled: AtomicBool::new(false),
                };
                for statement in purpose.first() {
                    link.prepare(*statement).await?;
                }
                Ok(link)
            };
            tokio::select! {
                biased;
                link = set_up => link.map(|link| (link, carrier)),
                () = &mut carrier => Err(unavailable("the database closed a new connection")),
            }
        };
        let late = |_| unavailable("the database did not accept a connection in time");
        tokio::time::timeout(options.connect_timeout(), whole)
            .await
            .map_err(late)?
    }

    /// Asks `statement`; its rows.
    pub(super) async fn query(
        &self,
        statement: Statement,
        values: &Values<'_>,
        what: &'static str,
    ) -> Result<Vec<Row>, Failure> {
        let prepared = match self.prepared[statement.index()].get() {
            Some(prepared) => prepared,
            None => self.prepare(statement).await?,
        };
        let rows = self.client.query(prepared, values).await;
        rows.inspect(|_| self.note_answer()).map_err(|error| {
            let failure = of_client(error, what);
            if !failure.closed {
                self.note_answer();
            }
            self.misled.fetch_or(failure.misled, Ordering::Relaxed);
            failure
        })
    }

    pub(super) fn is_misled(&self) -> bool {
        self.misled.load(Ordering::Relaxed)
    }

    async fn prepare(&self, statement: Statement) -> Result<&tokio_postgres::Statement, Failure> {
        let make = || async {
            let sql = statement.sql(&self.schema);
            let prepared = self.client.prepare(&sql).await;
            prepared.map_err(|error| of_client(error, "preparing a statement"))
        };
        self.prepared[statement.index()].get_or_try_init(make).await
    }

    /// Whether the server answers within `limit`.
    pub(super) async fn answers(&self, limit: Duration) -> bool {
        let asked = tokio::time::timeout(limit, self.client.batch_execute("")).await;
        let answered = matches!(asked, Ok(Ok(())));
        if answered {
            self.note_answer();
        }
        answered
    }

    fn note_answer(&self) {
        let age = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.answered.store(age, Ordering::Relaxed);
    }

    /// Whether nothing came from the server for `long`.
    pub(super) fn silent_for(&self, long: Duration) -> bool {
        let answered = Duration::from_millis(self.answered.load(Ordering::Relaxed));
        self.born.elapsed().saturating_sub(answered) >= long
    }
}

/// What holds for every statement of a session. The server gives up before we do, so that a statement that waits is
/// told from a server that is gone; and one that nobody waits for any more does not hold up those behind it.
fn settings(options: &Options, purpose: Purpose) -> String {
    let limit = options.deadline.as_millis() * 9 / 10;
    // A listing, or the rows of a large revocation, may take longer than a request.
    let limit = if purpose == Purpose::Chores {
        limit * 5
    } else {
        limit
    };
    let commits = match purpose {
        // A crash may lose these, by the contract.
        Purpose::Chores => "SET synchronous_commit = off;",
        // Where an operator turned durability off for the whole server, it is on for sessions all the same.
        _ => {
            "SELECT set_config('synchronous_commit', 'on', false) \
             WHERE current_setting('synchronous_commit') = 'off';"
        }
    };
    format!(
        "SET statement_timeout = {limit}; SET plan_cache_mode = force_generic_plan; SET jit = off; \
         SET client_min_messages = warning; {commits}"
    )
}

/// Opens a connection without anything on it.
pub(super) async fn open(
    options: &Options,
    hearer: Option<Hearer>,
) -> Result<(Client, Carrier), StoreError> {
    const WHAT: &str = "connecting to the database";
    let failed = |error| of_client(error, WHAT).error;
    match &options.tls {
        Tls::Off => {
            let (client, connection) = options.config.connect(NoTls).await.map_err(failed)?;
            Ok((client, carry(connection, hearer)))
        }
        Tls::Verified(authorities) => {
            let connector = tls::connector(authorities.as_deref())?;
            let (client, connection) = options.config.connect(connector).await.map_err(failed)?;
            Ok((client, carry(connection, hearer)))
        }
    }
}

fn carry<S, T>(mut connection: tokio_postgres::Connection<S, T>, hearer: Option<Hearer>) -> Carrier
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    Box::pin(async move {
        loop {
            let message = std::future::poll_fn(|context| connection.poll_message(context)).await;
            match (message, &hearer) {
                (Some(Ok(AsyncMessage::Notification(notice))), Some(hearer)) => {
                    // Nobody hears any more where the store was dropped.
                    let _ = hearer.send(notice.payload().to_owned());
                }
                (Some(Ok(_)), _) => {}
                (Some(Err(error)), _) => {
                    tracing::debug!(%error, "a connection to the database ended");
                    return;
                }
                (None, _) => return,
            }
        }
    })
}
