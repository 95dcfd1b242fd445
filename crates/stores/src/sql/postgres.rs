//! Sessions in PostgreSQL, 13 or later.
//!
//! A few connections carry all requests at once, reads and commits apart. Each verb is one statement, which is a
//! transaction of its own: what is cancelled happened whole or not at all, and no connection ever waits in the middle
//! of one. The rules stay in the core: the record is computed here, from what was read a moment ago, and written where
//! the row is still the one that it was computed from.

mod chores;
mod error;
mod index;
mod lane;
mod link;
mod notices;
mod options;
mod recent;
mod registry;
mod revoke;
mod schema;
mod sessions;
mod statements;
mod store;
#[cfg(feature = "near_cache")]
mod tell;
mod tls;
mod touches;
mod turns;
mod update;
mod values;

use std::sync::Arc;

use cloakroom_core::store::StoreError;
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinSet;
use tokio::time::Instant;

use lane::Lane;
use link::Purpose;
pub use notices::Notice;
use notices::Notices;
pub use options::Options;
use recent::Recent;
use touches::Touches;
use turns::Turns;

/// Connections for what is neither a read nor a commit: two, so that a long listing does not hold up touches.
const CHORES: usize = 2;

/// Sessions in a PostgreSQL database.
pub struct PostgresStore {
    shared: Arc<Shared>,
    /// Keepers of connections and the writer of touches; they end with the store.
    _tasks: JoinSet<()>,
}

/// What the store's operations and its tasks share.
struct Shared {
    options: Options,
    channel: String,
    reads: Arc<Lane>,
    writes: Arc<Lane>,
    chores: Arc<Lane>,
    recent: Arc<Recent>,
    turns: Turns,
    touches: Touches,
    /// A touch waits.
    touched: Notify,
    notices: Arc<Notices>,
}

impl PostgresStore {
    /// Connects, and makes or updates the tables. Needs a runtime, on which it keeps its connections up.
    ///
    /// # Errors
    /// Where the database is out of reach, refuses us, or has tables that this release cannot use.
    pub async fn connect(options: Options) -> Result<Self, StoreError> {
        schema::migrate(&options).await?;
        let recent = Arc::new(Recent::new());
        let back = Arc::default();
        let lane = |purpose, count| Lane::new(&options, purpose, count, &back);
        let shared = Arc::new(Shared {
            reads: lane(Purpose::Reads, options.read_connections),
            writes: lane(Purpose::Writes, options.write_connections),
            chores: lane(Purpose::Chores, CHORES),
            turns: Turns::new(),
            touches: Touches::default(),
            touched: Notify::new(),
            notices: Arc::new(Notices::new(Arc::clone(&recent))),
            channel: options.channel(),
            recent,
            options,
        });
        let mut tasks = JoinSet::new();
        for lane in [&shared.reads, &shared.writes, &shared.chores] {
            for keeper in lane.keepers() {
                tasks.spawn(keeper);
            }
        }
        if !shared.options.transaction_pooler {
            let notices = Arc::clone(&shared.notices);
            tasks.spawn(notices::listen(shared.options.clone(), notices));
        }
        tasks.spawn(chores::write_touches(Arc::clone(&shared)));
        for lane in [&shared.reads, &shared.writes, &shared.chores] {
            lane.ready().await?;
        }
        Ok(Self {
            shared,
            _tasks: tasks,
        })
    }

    /// What other nodes do to sessions, and this one too, as far as a cache must know of it. A channel that cannot be
    /// trusted for a while says so with [`Notice::Lapse`]. Behind a transaction pooler nothing is ever told.
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.shared.notices.sessions()
    }
}

impl Shared {
    fn deadline(&self) -> Instant {
        Instant::now() + self.options.deadline
    }
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore")
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}
