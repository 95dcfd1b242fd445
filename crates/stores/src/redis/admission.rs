//! A place in the subject's index (S-14), which in a Cluster lies elsewhere than the session.
//!
//! A login takes its place first; that one step on the subject's slot decides who must end for it. Then its session is
//! written, then the place confirmed. Whoever lost his place in between, or was revoked, takes his session back himself.
//! So however steps of parallel logins fall, no more than the limit are left, and a node that dies in the middle leaves a
//! place that nobody fills, which the next to look at it removes.

use ::redis::Value;
use cloakroom_core::policy::OnFull;
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{Refusal, StoreError};
use cloakroom_core::{Record, SessionId, Subject, SubjectLimit};
use futures_util::future::join_all;

use super::error::damaged;
use super::inner::{Inner, array, bytes};
use super::keys::{Key, Owner};
use super::reassert::Said;
use super::route::Care;
use super::row::Token;
use super::script::{ADMIT, CONFIRM, DELETE, FORGET};

/// A place that nobody confirmed is somebody's login under way for this long.
const UNDER_WAY: i64 = 10_000;

/// A place in the index of a subject.
#[derive(Debug)]
pub(super) struct Place {
    id: SessionId,
    owner: Owner,
    subject: Subject,
    token: Token,
    admitted: Epoch,
    /// The entry of this session that was there before.
    was: Vec<u8>,
    /// Sessions that end for it.
    pub(super) ending: Vec<SessionId>,
}

/// An entry of the index.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: SessionId,
    value: Vec<u8>,
    pub(super) is_ending: bool,
    /// Set up by a login that may be under way.
    is_pending: bool,
    since: i64,
    pub(super) app: String,
}

impl Entry {
    fn read(id: &[u8], value: Vec<u8>) -> Option<Self> {
        let id = SessionId::from_bytes(id.try_into().ok()?);
        let text = std::str::from_utf8(&value).ok()?;
        let mut words = text.splitn(6, ' ');
        let state = words.next()?;
        let since = words.nth(2)?.parse().ok()?;
        let app = words.nth(1)?.to_owned();
        Some(Self {
            id,
            is_ending: state == "e",
            is_pending: state == "p",
            since,
            app,
            value,
        })
    }

    /// Whether it may be touched by others than who set it up.
    fn is_settled(&self, now: i64) -> bool {
        !(self.is_pending || self.is_ending) || self.since + UNDER_WAY < now
    }
}

impl Inner {
    /// The entries of a subject.
    pub(super) async fn entries(&self, subject: &Subject) -> Result<Vec<Entry>, StoreError> {
        let mut cmd = ::redis::cmd("HGETALL");
        cmd.arg(self.keys.index(subject));
        let slot = self.index_slot(subject);
        let answer = array(self.router.read(slot, &cmd).await?)?;
        read_entries(answer)
    }

    /// Takes a place for `record`; `limit` is looked at.
    pub(super) async fn admit(
        &self,
        record: &Record,
        token: Token,
        limit: SubjectLimit,
    ) -> Result<Result<Place, Refusal>, StoreError> {
        let owner = Owner::of(record);
        let Some(subject) = owner.subject.clone() else {
            return Err(damaged("a place for a session without a subject"));
        };
        let mut dead: Vec<Entry> = Vec::new();
        let mut looked = false;
        loop {
            let answer = self
                .ask_for_place(record, &owner, &subject, token, limit, looked, &dead)
                .await?;
            let mut words = answer.into_iter();
            match words.next() {
                Some(Value::Int(0)) => {
                    let was = bytes(words.next().unwrap_or_default())?;
                    let ending = words.map(session).collect::<Result<_, _>>()?;
                    return Ok(Ok(Place {
                        id: record.id,
                        owner,
                        subject,
                        token,
                        admitted: record.security.admitted,
                        was,
                        ending,
                    }));
                }
                Some(Value::Int(1)) if !looked => {
                    let entries = read_entries(words.collect())?;
                    dead = self.dead(entries, &owner).await?;
                    looked = true;
                }
                Some(Value::Int(2)) => return Ok(Err(Refusal::TooManySessions)),
                Some(Value::Int(3)) => return Ok(Err(Refusal::Revoked)),
                _ => return Err(damaged("reading a subject's index")),
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "they are the script's")]
    async fn ask_for_place(
        &self,
        record: &Record,
        owner: &Owner,
        subject: &Subject,
        token: Token,
        limit: SubjectLimit,
        looked: bool,
        dead: &[Entry],
    ) -> Result<Vec<Value>, StoreError> {
        let security = &record.security;
        let keys = self.index_keys(owner, subject);
        let slot = self.index_slot(subject);
        let answer = self
            .script(slot, &ADMIT, &keys, Care::Repeat, |cmd| {
                cmd.arg(record.id.as_bytes())
                    .arg(owner.app.as_ref().map_or("", |app| app.as_str()))
                    .arg(security.created_at.as_millis())
                    .arg(security.version)
                    .arg(hex(token))
                    .arg(security.admitted.0)
                    .arg(security.hard_cap.as_millis())
                    .arg(limit.max.map_or(String::new(), |max| max.to_string()))
                    .arg(i32::from(limit.on_full == OnFull::Deny))
                    .arg(i32::from(looked));
                for entry in dead {
                    cmd.arg(entry.id.as_bytes()).arg(&entry.value);
                }
            })
            .await?;
        array(answer)
    }

    fn index_keys(&self, owner: &Owner, subject: &Subject) -> Vec<Key> {
        let mut keys = vec![self.keys.index(subject)];
        keys.extend(self.keys.subject_not_befores(owner));
        keys
    }

    /// Those of `entries` that stand for no live session of `owner`.
    async fn dead(&self, entries: Vec<Entry>, owner: &Owner) -> Result<Vec<Entry>, StoreError> {
        let now = |id| self.now_at(self.slot(id)).map(|now| now.as_millis());
        let mut settled = Vec::new();
        for entry in entries {
            if entry.is_settled(now(entry.id)?) {
                settled.push(entry);
            }
        }
        let ids: Vec<_> = settled.iter().map(|entry| entry.id).collect();
        let found = self.find_all(&ids).await?;
        let is_dead = |found: &Option<super::inner::Found>| {
            found
                .as_ref()
                .is_none_or(|found| !found.is_live() || Owner::of(&found.row.record) != *owner)
        };
        let dead = settled.into_iter().zip(found);
        Ok(dead
            .filter(|(_, (_, found))| is_dead(found))
            .map(|(entry, _)| entry)
            .collect())
    }

    /// After the session was written: `false` where it had to be taken back because its subject was revoked.
    pub(super) async fn confirm(&self, place: &Place, version: u64) -> Result<bool, StoreError> {
        let keys = self.index_keys(&place.owner, &place.subject);
        let slot = self.index_slot(&place.subject);
        let answer = self
            .script(slot, &CONFIRM, &keys, Care::Repeat, |cmd| {
                cmd.arg(place.id.as_bytes()).arg(place.admitted.0);
            })
            .await?;
        if answer == Value::Int(0) {
            self.finish(&place.owner, &place.subject, &place.ending)
                .await;
            return Ok(true);
        }
        // A later login took the place, or a revocation came in between: the session goes.
        self.end(place.id, Some(&place.owner), Some(version), None)
            .await?;
        if answer == Value::Int(1) {
            self.finish(&place.owner, &place.subject, &place.ending)
                .await;
            return Ok(true);
        }
        self.give_back(place).await;
        Ok(false)
    }

    /// Ends the sessions that had to go, and their entries.
    pub(super) async fn finish(&self, owner: &Owner, subject: &Subject, ids: &[SessionId]) {
        let ending = ids.iter().map(|id| async {
            let ended = self.end(*id, Some(owner), None, None).await;
            // Its entry stays where it could not be ended, and says so to the next who looks.
            ended.is_ok().then_some(*id)
        });
        let ended: Vec<_> = join_all(ending).await.into_iter().flatten().collect();
        self.forget(subject, &ended, "e", b"").await;
    }

    /// Gives a place back that is not needed.
    pub(super) async fn give_back(&self, place: &Place) {
        let token = hex(place.token);
        if place.was.is_empty() {
            self.forget(&place.subject, &[place.id], "t", token.as_bytes())
                .await;
        } else {
            let with = [token.as_bytes(), &place.was].concat();
            self.forget(&place.subject, &[place.id], "b", &with).await;
        }
        self.forget(&place.subject, &place.ending, "r", b"").await;
    }

    /// After a write that failed, and may have happened: those who were to end for it stay. The place itself is looked at
    /// by the next who finds it unconfirmed.
    pub(super) async fn spare(&self, place: &Place) {
        self.forget(&place.subject, &place.ending, "r", b"").await;
    }

    /// Removes entries as `forget.lua` says. Where that fails they are stale, which does no harm.
    pub(super) async fn forget(
        &self,
        subject: &Subject,
        ids: &[SessionId],
        how: &str,
        with: &[u8],
    ) {
        if ids.is_empty() {
            return;
        }
        let slot = self.index_slot(subject);
        let keys = [self.keys.index(subject)];
        let done = self
            .script(slot, &FORGET, &keys, Care::Repeat, |cmd| {
                for id in ids {
                    cmd.arg(id.as_bytes()).arg(how).arg(with);
                }
            })
            .await;
        if let Err(error) = done {
            tracing::debug!(%error, "left a stale entry in an index");
        }
    }

    /// Removes the entries that stand for nothing, and ends what was left half ended.
    pub(super) async fn heal(&self, subject: &Subject, stale: Vec<Entry>) {
        for entry in stale {
            let now = self.now_at(self.slot(entry.id));
            if now.is_ok_and(|now| !entry.is_settled(now.as_millis())) {
                continue;
            }
            if entry.is_ending {
                let app = cloakroom_core::App::new(entry.app.as_str()).ok();
                let subject = Some(subject.clone());
                let owner = Owner { app, subject };
                if self.end(entry.id, Some(&owner), None, None).await.is_err() {
                    continue;
                }
            }
            self.forget(subject, &[entry.id], "i", &entry.value).await;
        }
    }

    /// Ends a session if it is of that owner, its security block not later than that version, and it was admitted before
    /// that epoch. Answers the row that was there.
    pub(super) async fn end(
        &self,
        id: SessionId,
        owner: Option<&Owner>,
        version: Option<u64>,
        before: Option<Epoch>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let bucket = self.keys.bucket(id);
        let keys = [self.keys.record(id), self.keys.due(bucket)];
        let number = |number: Option<u64>| number.map_or(String::new(), |n| n.to_string());
        let answer = self
            .script(self.slot(id), &DELETE, &keys, Care::Kept, |cmd| {
                cmd.arg(id.as_bytes())
                    .arg(owner.map_or(Vec::new(), Owner::bytes))
                    .arg(number(version))
                    .arg(number(before.map(|epoch| epoch.0)));
            })
            .await?;
        match answer {
            Value::Nil => Ok(None),
            row => {
                self.recent.forget(id);
                self.log.note(Said::Ended(id));
                bytes(row).map(Some)
            }
        }
    }
}

impl Inner {
    /// Says again that a session has ended.
    pub(super) async fn end_again(&self, id: SessionId) -> Result<(), StoreError> {
        let keys = [self.keys.record(id), self.keys.due(self.keys.bucket(id))];
        self.script(self.slot(id), &DELETE, &keys, Care::Kept, |cmd| {
            cmd.arg(id.as_bytes()).arg("").arg("").arg("");
        })
        .await
        .map(drop)
    }
}

fn read_entries(words: Vec<Value>) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    let mut words = words.into_iter();
    while let (Some(id), Some(value)) = (words.next(), words.next()) {
        // Other fields are not sessions.
        entries.extend(Entry::read(&bytes(id)?, bytes(value)?));
    }
    Ok(entries)
}

pub(super) fn session(value: Value) -> Result<SessionId, StoreError> {
    let id: Option<[u8; 16]> = bytes(value)?.try_into().ok();
    id.map(SessionId::from_bytes)
        .ok_or_else(|| damaged("reading a session id"))
}

pub(super) fn hex(token: Token) -> String {
    format!("{:016x}", u64::from_be_bytes(token))
}
