//! Connections of one purpose, kept up; and the circuit that says `unavailable` at once while the server is gone.
//!
//! An operation never waits for a connection to come up: where none is up, that is its answer. Each place of a lane has
//! a keeper, which connects again after a pause that grows and is never the same for two of them.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use cloakroom_core::store::StoreError;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_postgres::Row;

use super::error::{Failure, unavailable};
use super::link::{Link, Purpose, Values};
use super::options::Options;
use super::statements::Statement;

/// The pause before the second try to connect; it doubles with each.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long a connection in doubt has to show that it is alive.
const PROOF: Duration = Duration::from_millis(500);

/// All connections of one purpose.
pub(super) struct Lane {
    purpose: Purpose,
    options: Options,
    places: Vec<Place>,
    next: AtomicUsize,
    up: watch::Sender<usize>,
    /// The server is back: no keeper of any lane has to wait out its pause.
    back: Arc<Notify>,
    /// The operator was told that none is up.
    lost: AtomicBool,
    /// Why there was no connection last.
    trouble: Mutex<Option<StoreError>>,
}

#[derive(Default)]
struct Place {
    link: RwLock<Option<Arc<Link>>>,
    doubt: Notify,
}

impl Lane {
    pub(super) fn new(
        options: &Options,
        purpose: Purpose,
        count: usize,
        back: &Arc<Notify>,
    ) -> Arc<Self> {
        Arc::new(Self {
            purpose,
            options: options.clone(),
            places: (0..count).map(|_| Place::default()).collect(),
            next: AtomicUsize::new(0),
            up: watch::Sender::new(0),
            back: Arc::clone(back),
            lost: AtomicBool::new(false),
            trouble: Mutex::new(None),
        })
    }

    /// The keepers of its places; whoever drops them ends the connections.
    pub(super) fn keepers(
        self: &Arc<Self>,
    ) -> impl Iterator<Item = impl Future<Output = ()> + Send + use<>> {
        let lane = Arc::clone(self);
        (0..self.places.len()).map(move |place| Arc::clone(&lane).keep(place))
    }

    /// Waits until one connection is up, or until it is clear that none comes.
    pub(super) async fn ready(&self) -> Result<(), StoreError> {
        let mut up = self.up.subscribe();
        let first = tokio::time::timeout(self.options.connect_timeout(), up.wait_for(|up| *up > 0));
        if matches!(first.await, Ok(Ok(_))) {
            return Ok(());
        }
        let trouble = self.trouble.lock().take();
        Err(trouble
            .unwrap_or_else(|| unavailable("the database did not accept a connection in time")))
    }

    /// Asks on the connection that has the least to do, within the deadline.
    pub(super) async fn query(
        &self,
        statement: Statement,
        values: &Values<'_>,
        what: &'static str,
        deadline: Instant,
    ) -> Result<Vec<Row>, Failure> {
        let (place, link) = self
            .pick()
            .ok_or_else(|| Failure::new(unavailable("there is no connection to the database")))?;
        match tokio::time::timeout_at(deadline, link.query(statement, values, what)).await {
            Ok(Err(failure)) if failure.misled => {
                self.doubt(place, &link);
                Err(failure)
            }
            Ok(answer) => answer,
            Err(_) => {
                // The server gives up before we do; where nothing came at all, nobody is there.
                if link.silent_for(self.options.deadline) {
                    self.doubt_all();
                }
                Err(Failure::new(unavailable(
                    "the database did not answer in time",
                )))
            }
        }
    }

    /// As [`Lane::query`], for what may be asked twice: once more where the connection ended meanwhile.
    pub(super) async fn query_again(
        &self,
        statement: Statement,
        values: &Values<'_>,
        what: &'static str,
        deadline: Instant,
    ) -> Result<Vec<Row>, StoreError> {
        match self.query(statement, values, what, deadline).await {
            Err(failure) if failure.closed => {
                Ok(self.query(statement, values, what, deadline).await?)
            }
            answer => Ok(answer?),
        }
    }

    fn pick(&self) -> Option<(&Place, Arc<Link>)> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.places.len();
        let mut best: Option<(&Place, Arc<Link>, usize)> = None;
        for step in 0..count {
            let place = &self.places[(first.wrapping_add(step)) % count];
            let held = place.link.read();
            let Some(link) = held.as_ref().filter(|link| !link.client.is_closed()) else {
                continue;
            };
            // Whoever asks on it holds it.
            let load = Arc::strong_count(link);
            if best.as_ref().is_none_or(|(_, _, least)| load < *least) {
                best = Some((place, Arc::clone(link), load));
            }
        }
        best.map(|(place, link, _)| (place, link))
    }

    /// Takes a connection out of use until it has shown that it is alive.
    fn doubt(&self, place: &Place, link: &Arc<Link>) {
        let mut held = place.link.write();
        if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, link)) {
            *held = None;
            drop(held);
            self.count(-1);
            place.doubt.notify_one();
        }
    }

    /// Takes all that have been silent out of use: what one of them met, the others would meet.
    fn doubt_all(&self) {
        for place in &self.places {
            let link = place.link.read().as_ref().map(Arc::clone);
            if let Some(link) = link {
                self.doubt(place, &link);
            }
        }
    }

    fn count(&self, by: isize) {
        let (mut before, mut after) = (0, 0);
        self.up.send_modify(|up| {
            before = *up;
            *up = up.saturating_add_signed(by);
            after = *up;
        });
        let purpose = self.purpose;
        if before > 0 && after == 0 {
            self.lost.store(true, Ordering::Relaxed);
            tracing::warn!(?purpose, "no connection to the database is left");
        } else if before == 0 && after > 0 && self.lost.swap(false, Ordering::Relaxed) {
            tracing::info!(?purpose, "the database is back");
        }
    }

    fn put(&self, place: &Place, link: Option<Arc<Link>>) {
        let mut held = place.link.write();
        let before = held.is_some();
        let after = link.is_some();
        *held = link;
        drop(held);
        self.count(isize::from(after) - isize::from(before));
    }

    async fn keep(self: Arc<Self>, place: usize) {
        let place = &self.places[place];
        let mut pause = PAUSE;
        loop {
            match Link::connect(&self.options, self.purpose, None).await {
                Ok((link, carrier)) => {
                    if pause > PAUSE {
                        self.back.notify_waiters();
                    }
                    pause = PAUSE;
                    self.trouble.lock().take();
                    self.serve(place, Arc::new(link), carrier).await;
                    self.put(place, None);
                }
                Err(error) => {
                    tracing::debug!(%error, "no connection to the database");
                    *self.trouble.lock() = Some(error);
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
            tokio::select! {
                () = tokio::time::sleep(somewhere_in(pause)) => {}
                () = self.back.notified() => tokio::time::sleep(somewhere_in(PAUSE)).await,
            }
        }
    }

    /// Carries a connection until it ends, or fails to show in time that it is alive.
    async fn serve(&self, place: &Place, link: Arc<Link>, mut carrier: super::link::Carrier) {
        self.put(place, Some(Arc::clone(&link)));
        loop {
            tokio::select! {
                () = &mut carrier => return,
                () = place.doubt.notified() => {}
            }
            let alive = tokio::select! {
                () = &mut carrier => return,
                alive = link.answers(PROOF) => alive,
            };
            // A session that leads to the wrong server answers as well; it begins anew.
            if !alive || link.is_misled() {
                return;
            }
            self.put(place, Some(Arc::clone(&link)));
        }
    }
}

/// Between half of `pause` and all of it.
pub(super) fn somewhere_in(pause: Duration) -> Duration {
    let chance = RandomState::new().hash_one(0u8);
    let thousandths = u32::try_from(chance % 500).unwrap_or(0);
    pause / 2 + pause * thousandths / 1000
}
