//! `create`, `update` and `touch`.

use std::sync::atomic::Ordering::Relaxed;

use super::account::{Needs, Short};
use super::index::Index;
use super::packed::pack;
use super::shard::Shard;
use super::slot::Content;
use super::state::{Indexes, State, Tried, over};
use crate::change::Change;
use crate::policy::{OnFull, SubjectLimit};
use crate::record::{Activity, Record};
use crate::store::{Created, Expect, Refusal, StoreError, Touched, Updated};
use crate::time::Timestamp;
use crate::token::SessionId;

/// What is asked of a session, as it came.
pub(super) struct Asked<'a> {
    pub(super) id: SessionId,
    pub(super) expect: Expect,
    pub(super) change: &'a Change,
    pub(super) limit: SubjectLimit,
    pub(super) now: Timestamp,
}

impl State {
    pub(super) fn create(
        &self,
        record: &Record,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let packed = pack(record);
        loop {
            match self.try_create(record, &packed, limit, now)? {
                Tried::Done(created) => return Ok(created),
                Tried::Short(short) => self.make_room(short, None, now)?,
                Tried::Moved => {}
            }
        }
    }

    fn try_create(
        &self,
        record: &Record,
        packed: &[u8],
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Tried<Created>, StoreError> {
        let id = record.id;
        let owner = self.owner(record.security.subject.as_ref());
        let mut held = self.index(owner, 0);
        let others = self.others(record, &mut held, owner, limit, now)?;
        let place = self.ids.place(id);
        let mut shard = self.cell_of(place).lock();
        if shard.find(id).is_some() {
            return Ok(Tried::Done(Created::Exists));
        }
        if self.not_before.read().refuses(&record.security) {
            return Ok(Tried::Done(Created::Refused(Refusal::Revoked)));
        }
        let ending = match admit(others, limit) {
            Ok(ending) => ending,
            Err(refusal) => return Ok(Tried::Done(Created::Refused(refusal))),
        };
        let content = Content {
            id,
            anonymous: owner == 0,
            stamp: self.stamp(),
            packed,
        };
        let entry = held.of(owner).map_or(0, |index| index.needs(owner));
        let needs = shard.needs(id, content.shape());
        let needs = needs.and(Needs::of_bytes(entry));
        let Some(mut room) = self.account.room_for_session(needs, content.anonymous) else {
            return Ok(Tried::Short(Short {
                needs,
                sessions: 1,
                slots: Some((self.ids.shard(place), content.shape())),
            }));
        };
        self.longest
            .fetch_max(record.security.hard_cap.as_millis(), Relaxed);
        room.bytes -= entry;
        shard.insert(&self.account, room, &content);
        if let Some(index) = held.of(owner) {
            index.add(&self.account, entry, owner, place);
        }
        drop(shard);
        self.end_all(&ending, &mut held);
        Ok(Tried::Done(Created::Done(ending)))
    }

    pub(super) fn update(&self, asked: &Asked<'_>) -> Result<Updated, StoreError> {
        loop {
            match self.try_update(asked)? {
                Tried::Done(updated) => return Ok(updated),
                Tried::Short(short) => self.make_room(short, Some(asked.id), asked.now)?,
                Tried::Moved => {}
            }
        }
    }

    fn try_update(&self, asked: &Asked<'_>) -> Result<Tried<Updated>, StoreError> {
        let Asked {
            id, change, now, ..
        } = *asked;
        // Edits of data change nothing that the index knows, so they need not know whose it is.
        let security = change.security.as_ref();
        let (mut owner, mut next_owner) = (0, 0);
        if let Some(block) = security {
            let Some(found) = self.owner_by_id(id) else {
                return Ok(Tried::Done(Updated::Gone));
            };
            owner = found;
            next_owner = self.owner(block.subject.as_ref());
        }
        let mut held = self.index(owner, next_owner);
        let mut others = Vec::new();
        if let (Some(security), Some(index)) = (security, held.of(next_owner)) {
            let named = (security.app.as_ref(), security.subject.as_ref());
            others = self.named(index, next_owner, named, id, asked.limit, now)?;
        }
        let mut shard = self.cell(id).lock();
        let Some(at) = shard.find(id) else {
            return Ok(Tried::Done(Updated::Gone));
        };
        if security.is_some() && self.owner_of(&shard.slot(at)) != owner {
            return Ok(Tried::Moved);
        }
        let record = shard.slot(at).record()?;
        if over(&shard.slot(at), now) || self.revoked(&record) {
            return Ok(Tried::Done(Updated::Gone));
        }
        if !asked.expect.holds(&record) {
            return Ok(Tried::Done(Updated::Conflict(self.loaded(record))));
        }
        let next = record.apply(change);
        let ending = match self.judge(&record, &next, asked, others) {
            Ok(ending) => ending,
            Err(refusal) => return Ok(Tried::Done(Updated::Refused(refusal))),
        };
        let content = Content {
            id,
            anonymous: next.security.subject.is_none(),
            stamp: self.stamp(),
            packed: &pack(&next),
        };
        // What is in use now is not what goes first for it.
        self.used(&mut shard, at);
        let written = self.write(&mut shard, at, &content, &mut held, (owner, next_owner));
        if let Err(short) = written {
            return Ok(Tried::Short(short));
        }
        self.longest
            .fetch_max(next.security.hard_cap.as_millis(), Relaxed);
        drop(shard);
        self.end_all(&ending, &mut held);
        Ok(Tried::Done(Updated::Done {
            record: next.into(),
            ended: ending,
        }))
    }

    /// Writes the record of a session that may change hands, and its entry in the index.
    fn write(
        &self,
        shard: &mut Shard,
        at: u32,
        content: &Content<'_>,
        held: &mut Indexes<'_>,
        (owner, next_owner): (u32, u32),
    ) -> Result<(), Short> {
        let moves = owner != next_owner;
        let entry = match held.of(next_owner) {
            Some(index) if moves => index.needs(next_owner),
            _ => 0,
        };
        let place = self.ids.place(content.id);
        let short = |needs: Needs| Short {
            needs: needs.and(Needs::of_bytes(entry)),
            sessions: 0,
            slots: Some((self.ids.shard(place), content.shape())),
        };
        if !self.account.charge(entry) {
            return Err(short(Needs::default()));
        }
        let was = shard.slot(at).is_anonymous();
        if let Err(needs) = shard.replace(&self.account, at, content) {
            self.account.refund(entry);
            return Err(short(needs));
        }
        self.account.changes_hands(was, content.anonymous);
        if moves {
            if let Some(index) = held.of(next_owner) {
                index.add(&self.account, entry, next_owner, place);
            }
            if let Some(index) = held.of(owner) {
                index.remove(&self.account, owner, place);
            }
        }
        Ok(())
    }

    /// Whether a change with a security block may be made, and which sessions have to go for it.
    fn judge(
        &self,
        record: &Record,
        next: &Record,
        asked: &Asked<'_>,
        others: Others,
    ) -> Result<Vec<SessionId>, Refusal> {
        if asked.change.security.is_none() {
            return Ok(Vec::new());
        }
        if self.not_before.read().refuses(&next.security) {
            return Err(Refusal::Revoked);
        }
        let (old, new) = (&record.security, &next.security);
        if old.subject == new.subject && old.app == new.app {
            return Ok(Vec::new());
        }
        admit(others, asked.limit)
    }

    pub(super) fn touch(
        &self,
        id: SessionId,
        activity: Activity,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let mut shard = self.cell(id).lock();
        let Some(at) = shard.find(id).filter(|at| !over(&shard.slot(*at), now)) else {
            return Ok(Touched::Gone);
        };
        shard.touch(at, activity);
        self.used(&mut shard, at);
        Ok(Touched::Done)
    }

    fn owner_by_id(&self, id: SessionId) -> Option<u32> {
        let shard = self.cell(id).lock();
        shard.find(id).map(|at| self.owner_of(&shard.slot(at)))
    }

    pub(super) fn revoked(&self, record: &Record) -> bool {
        record.security.admitted < self.not_before.read().of(&record.security)
    }

    fn others(
        &self,
        record: &Record,
        held: &mut Indexes<'_>,
        owner: u32,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Others, StoreError> {
        let security = &record.security;
        let named = (security.app.as_ref(), security.subject.as_ref());
        match held.of(owner) {
            Some(index) => self.named(index, owner, named, record.id, limit, now),
            None => Ok(Vec::new()),
        }
    }

    /// The live sessions of a subject in an application besides `id`, where there are enough of them to count.
    fn named(
        &self,
        index: &Index,
        owner: u32,
        (app, subject): (Option<&crate::App>, Option<&crate::Subject>),
        id: SessionId,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Others, StoreError> {
        let Some(max) = limit.max else {
            return Ok(Vec::new());
        };
        // One of them may be the session itself.
        if index.count(owner) < max.max(1) as usize {
            return Ok(Vec::new());
        }
        let mut others = Vec::new();
        for place in index.of(owner) {
            let shard = self.cell_of(place).lock();
            for at in shard.at(place) {
                let slot = shard.slot(at);
                let head = slot.head()?;
                let same = head.app == app.map(crate::App::as_str)
                    && head.subject == subject.map(crate::Subject::as_str);
                if same && slot.id() != id && !over(&slot, now) {
                    others.push((head.times.created_at, slot.id()));
                }
            }
        }
        Ok(others)
    }

    /// Ends sessions whose owner's index is held.
    fn end_all(&self, ids: &[SessionId], held: &mut Indexes<'_>) {
        for id in ids {
            // A session of that subject cannot change hands meanwhile: that takes the lock which is held.
            let _ = self.take(*id, held, |_| Some(()));
        }
    }
}

/// Sessions that count against a limit, with their creation.
type Others = Vec<(Timestamp, SessionId)>;

/// Who has to go for one more session, or that there may be none.
fn admit(mut others: Others, limit: SubjectLimit) -> Result<Vec<SessionId>, Refusal> {
    let max = limit.max.map_or(usize::MAX, |max| max.max(1) as usize);
    if others.len() < max {
        return Ok(Vec::new());
    }
    if limit.on_full == OnFull::Deny {
        return Err(Refusal::TooManySessions);
    }
    others.sort_unstable();
    let excess = others.len() + 1 - max;
    Ok(others.into_iter().take(excess).map(|(_, id)| id).collect())
}
