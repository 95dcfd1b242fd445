//! The toy as a store of records.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cloakroom_core::store::{
    Clock, Consistency, Created, Deleted, Expect, Loaded, Profile, Refusal, Store, Swept,
    SweptSession, Touched, Updated,
};
use cloakroom_core::{
    Activity, Change, Edits, Record, SessionId, StoreError, SubjectLimit, Timestamp,
};
use tokio::sync::watch;

use super::Flaw;
use super::state::{State, locked, unavailable};

/// What all handles share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) current: Mutex<State>,
    pub(super) durable: Mutex<State>,
    pub(super) off: AtomicBool,
    pub(super) changed: watch::Sender<u64>,
}

/// A handle.
#[derive(Debug, Clone)]
pub(crate) struct Toy {
    pub(super) shared: Arc<Shared>,
}

impl Toy {
    pub(crate) fn new(flaw: Flaw) -> Self {
        let state = State {
            flaw: Some(flaw),
            ..State::default()
        };
        let shared = Shared {
            current: Mutex::new(state.clone()),
            durable: Mutex::new(state),
            off: AtomicBool::new(false),
            changed: watch::Sender::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The state, if it is in reach.
    pub(super) fn state(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        if self.shared.off.load(Ordering::SeqCst) {
            return Err(unavailable());
        }
        Ok(locked(&self.shared.current))
    }

    /// What is current becomes durable.
    pub(super) fn commit(&self, state: &State) {
        *locked(&self.shared.durable) = state.clone();
    }

    fn has(&self, flaw: Flaw) -> bool {
        locked(&self.shared.current).has(flaw)
    }

    /// Where a broken store lets others in between looking and writing.
    pub(super) async fn pause_if(&self, flaw: Flaw) {
        if self.has(flaw) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Store for Toy {
    fn profile(&self) -> Profile {
        Profile {
            name: "toy",
            consistency: Consistency::Linearizable,
            durable: true,
            shared: true,
            clock: Clock::Caller,
            ready: true,
        }
    }

    async fn create(
        &self,
        mut record: Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let (taken, ending) = {
            let state = self.state()?;
            (
                state.record(record.id)?.is_some(),
                state.room(&record, limit, now),
            )
        };
        self.pause_if(Flaw::CreateRace).await;
        self.pause_if(Flaw::LimitRace).await;
        self.pause_if(Flaw::SaysReady).await;
        let mut state = self.state()?;
        let taken = if state.has(Flaw::CreateRace) {
            taken
        } else {
            state.record(record.id)?.is_some()
        };
        if taken && !state.has(Flaw::CreateOverwrites) {
            return Ok(Created::Exists);
        }
        if state.late(&record) {
            return Ok(Created::Refused(Refusal::Revoked));
        }
        let ending = if state.has(Flaw::LimitRace) {
            ending
        } else {
            state.room(&record, limit, now)
        };
        let ending = match ending {
            Ok(ending) => ending,
            Err(refusal) => return Ok(Created::Refused(refusal)),
        };
        if state.has(Flaw::CutsData) && record.data.encoded().len() > 512 {
            record.data = Default::default();
        }
        if state.has(Flaw::LosesNames) {
            let mut lost = Edits::new();
            let names = record.data.iter().skip(1);
            names.for_each(|(name, _)| lost.remove(name));
            record.data = record.data.apply(&lost);
        }
        if state.has(Flaw::DropsUnknown) {
            record.unknown = Default::default();
        }
        ending.iter().for_each(|id| state.remove(*id));
        state.keep(&record);
        self.commit(&state);
        Ok(Created::Done(ending))
    }

    async fn load(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        if self.shared.off.load(Ordering::SeqCst) && self.has(Flaw::CutOffIsNone) {
            return Ok(None);
        }
        let state = self.state()?;
        let record = match state.record(id)? {
            None if state.has(Flaw::InventsRecords) => state.readable().next().or_else(|| {
                let now = Timestamp::from_secs(1_800_000_000);
                Some(cloakroom_conformance::samples::Sample::new(now).record())
            }),
            record => record,
        };
        Ok(record.map(|record| Loaded {
            not_before: state.not_before(&record),
            record: Arc::new(record),
            store_now: None,
        }))
    }

    async fn load_fresh(&self, id: SessionId) -> Result<Option<Loaded>, StoreError> {
        let mut loaded = self.load(id).await?;
        if let Some(loaded) = loaded.as_mut().filter(|_| self.has(Flaw::FreshIsOld)) {
            Arc::make_mut(&mut loaded.record).version -= 1;
        }
        Ok(loaded)
    }

    async fn update(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Updated, StoreError> {
        let before = self.state()?.live(id, now)?;
        let room = before.as_ref().map(|record| {
            let next = record.apply(&change);
            let state = locked(&self.shared.current);
            state.room(&next, limit, now)
        });
        self.pause_if(Flaw::LostUpdate).await;
        self.pause_if(Flaw::Resurrects).await;
        self.pause_if(Flaw::LimitRace).await;
        self.pause_if(Flaw::SaysReady).await;
        if self.has(Flaw::WritesInHalves) {
            self.half(id, &change, now).await?;
        }
        let (answer, late) = self.write(id, expect, change, (limit, room), before, now)?;
        if late {
            tokio::time::sleep(Duration::from_millis(3)).await;
            let state = self.state()?.clone();
            self.commit(&state);
        }
        Ok(answer)
    }

    async fn touch(
        &self,
        id: SessionId,
        activity: Activity,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let mut state = self.state()?;
        let Some(mut record) = state.live(id, now)? else {
            return Ok(Touched::Gone);
        };
        record.activity = if state.has(Flaw::TouchGoesBack) {
            activity
        } else {
            record.activity.later(activity)
        };
        record.version += u64::from(state.has(Flaw::TouchCounts));
        state.keep(&record);
        if !state.has(Flaw::FlushIsEmpty) {
            self.commit(&state);
        }
        Ok(Touched::Done)
    }

    async fn delete(&self, id: SessionId) -> Result<Deleted, StoreError> {
        let mut state = self.state()?;
        let record = state.record(id)?;
        state.remove(id);
        self.commit(&state);
        Ok(record.map_or(Deleted::Absent, |record| Deleted::Done(Arc::new(record))))
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        let due = {
            let state = self.state()?;
            let now = if state.has(Flaw::SweepsLive) {
                now.plus(Duration::from_secs(3600))
            } else {
                now
            };
            let due = state.readable().filter(|record| record.deadline() <= now);
            due.map(|record| SweptSession {
                id: record.id,
                subject: record.security.subject.clone(),
                deadline: record.deadline(),
            })
            .collect::<Vec<_>>()
        };
        self.pause_if(Flaw::SweepRace).await;
        let mut state = self.state()?;
        let (unbounded, racing) = (
            state.has(Flaw::SweepUnbounded),
            state.has(Flaw::SweepRace) || state.has(Flaw::SweepsLive),
        );
        let mut swept = Swept::default();
        for session in due {
            let still = state
                .record(session.id)?
                .is_some_and(|record| record.deadline() <= now);
            if !still && !racing {
                continue;
            }
            if swept.removed.len() >= limit && !unbounded {
                swept.more = !state.has(Flaw::SweepStops);
                break;
            }
            state.remove(session.id);
            swept.removed.push(session);
        }
        self.commit(&state);
        Ok(swept)
    }

    async fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

type Room = (SubjectLimit, Option<Result<Vec<SessionId>, Refusal>>);

impl Toy {
    /// The writing half of `update`; answers also whether it is yet to be made durable.
    fn write(
        &self,
        id: SessionId,
        expect: Expect,
        change: Change,
        (limit, room): Room,
        before: Option<Record>,
        now: Timestamp,
    ) -> Result<(Updated, bool), StoreError> {
        let mut state = self.state()?;
        let stale = state.has(Flaw::LostUpdate) || state.has(Flaw::Resurrects);
        let found = if stale { before } else { state.live(id, now)? };
        let Some(record) = found else {
            if state.has(Flaw::UpdateCreates)
                && let Some(security) = &change.security
            {
                let mut made = cloakroom_conformance::samples::Sample::new(now).record();
                made.id = id;
                made.security = security.clone();
                state.keep(&made);
            }
            return Ok((Updated::Gone, false));
        };
        let next = self.next(&state, &record, &change);
        if !holds(&state, expect, &record) {
            if state.has(Flaw::ConflictWrites) {
                state.keep(&next);
            }
            let not_before = state.not_before(&record);
            let loaded = Loaded {
                record: Arc::new(record),
                not_before,
                store_now: None,
            };
            return Ok((Updated::Conflict(loaded), false));
        }
        let edits_refused = state.has(Flaw::RefusesEdits) && !state.not_before.is_empty();
        if (change.security.is_some() && state.late(&next)) || edits_refused {
            return Ok((Updated::Refused(Refusal::Revoked), false));
        }
        let brings = change.security.is_some()
            && (next.security.subject != record.security.subject || state.has(Flaw::CountsItself));
        let ended = match room {
            _ if !brings || state.has(Flaw::LimitSkipsUpdate) => Ok(Vec::new()),
            Some(room) if state.has(Flaw::LimitRace) => room,
            _ => state.room(&next, limit, now),
        };
        let ended = match ended {
            Ok(ended) => ended,
            Err(refusal) => return Ok((Updated::Refused(refusal), false)),
        };
        ended.iter().for_each(|id| state.remove(*id));
        let index = state.index.get(&id).cloned();
        state.keep(&next);
        if let Some(index) = index.filter(|_| state.has(Flaw::IndexDrifts)) {
            state.index.insert(id, index);
        }
        let late = self.make_durable(&mut state);
        let answered = if state.has(Flaw::AnswersOld) {
            record
        } else {
            next
        };
        let record = Arc::new(answered);
        Ok((Updated::Done { record, ended }, late))
    }

    fn make_durable(&self, state: &mut State) -> bool {
        if state.has(Flaw::SeenBeforeDurable) {
            return true;
        }
        if state.has(Flaw::LateCommit) {
            // Every eighth write brings the ones before it.
            state.written += 1;
            if !state.written.is_multiple_of(8) {
                return false;
            }
        }
        if !state.has(Flaw::CrashLosesUpdates) {
            self.commit(state);
        }
        false
    }

    fn next(&self, state: &State, record: &Record, change: &Change) -> Record {
        let mut next = record.apply(change);
        if state.has(Flaw::IgnoresClear) && change.edits.clears() {
            next.data = record.data.clone();
        }
        if state.has(Flaw::KeepsOldSecret) {
            next.security.secrets = record.security.secrets.clone();
        }
        if let Some(activity) = change.activity.filter(|_| state.has(Flaw::UpdateGoesBack)) {
            next.activity = activity;
        }
        next
    }

    /// The first edit of `change`, written before the others.
    async fn half(&self, id: SessionId, change: &Change, now: Timestamp) -> Result<(), StoreError> {
        {
            let mut state = self.state()?;
            if let Some(record) = state.live(id, now)? {
                let mut first = Edits::new();
                for (name, edit) in change.edits.iter().take(1) {
                    if let cloakroom_core::Edit::Set(text) = edit {
                        first.set(name, text.clone());
                    }
                }
                let mut next = record.apply(&Change::of_data(first));
                next.version = record.version;
                state.keep(&next);
                self.commit(&state);
            }
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        Ok(())
    }
}

fn holds(state: &State, expect: Expect, record: &Record) -> bool {
    match expect {
        Expect::Version(_) if state.has(Flaw::LostUpdate) => expect.holds(record),
        Expect::Security(_) if state.has(Flaw::AcceptsAnySecurity) => true,
        Expect::Security(version) if state.has(Flaw::SecurityMeansVersion) => {
            record.version == version
        }
        _ => expect.holds(record),
    }
}
