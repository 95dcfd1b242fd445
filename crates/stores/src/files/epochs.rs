//! The revocation clock and the not-befores.
//!
//! The clock is one marker: its version is the epoch, its stamp changes after every not-before that was written, and it
//! remembers the latest hard cap. A load looks at it first; not-befores that were read since the stamp last changed need
//! no second look. A revocation draws its epoch from the clock, writes its not-before, and changes the stamp before it is
//! answered: a load that begins after the answer sees another stamp, and looks.

use std::collections::HashMap;
use std::time::Duration;

use cloakroom_core::Timestamp;
use cloakroom_core::record::{Epoch, Record, Security};
use cloakroom_core::store::{Scope, StoreError};
use parking_lot::Mutex;

use super::Files;
use super::error::{During as _, unavailable};
use super::format::Marker;
use super::object::{Look, nonce};
use super::paths::{CLOCK, covering, not_before};

/// Not-befores that are remembered at most.
const KNOWN_MAX: usize = 64 * 1024;
/// A login whose proof was under way at a revocation is over by then.
const LOGIN: Duration = Duration::from_secs(24 * 60 * 60);
/// The latest hard cap is remembered by the day, so that it is seldom written.
const DAY: i64 = 24 * 60 * 60 * 1000;

// The fields of its marker.
const CAP: usize = 0;
const DRAWN: usize = 1;
const STAMP: usize = 2;

/// Not-befores as read while the clock showed `stamp`.
#[derive(Debug, Default)]
pub(super) struct Known {
    stamp: i64,
    by_path: HashMap<String, Epoch>,
}

/// What the clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown(Marker);

impl Shown {
    pub(super) const fn epoch(self) -> Epoch {
        Epoch(self.0.version)
    }

    fn latest_cap(self) -> Timestamp {
        Timestamp::from_millis(self.0.fields[CAP])
    }
}

/// The clock of a new store. Its stamp is chance, as every stamp: one never comes again.
pub(super) fn start() -> Marker {
    Marker {
        ended: false,
        version: 0,
        nonce: nonce(),
        fields: [0, 0, nonce().cast_signed(), 0],
    }
}

impl Files {
    /// The clock. A store whose folder has gone away has none: nothing is ever absent without it.
    pub(super) fn clock(&self) -> Result<Shown, StoreError> {
        match self.io.look(CLOCK)? {
            Look::There { marker, .. } => Ok(Shown(marker)),
            Look::Absent => Err(unavailable("the folder of the store is not there")),
        }
    }

    /// The epoch, kept before it is shown: one that a crash takes back might be drawn a second time.
    pub(super) fn epoch(&self) -> Result<Epoch, StoreError> {
        let shown = self.clock()?;
        self.io.sync(CLOCK).during("syncing the clock")?;
        Ok(shown.epoch())
    }

    fn set_clock(&self, change: impl Fn(&mut Marker)) -> Result<Shown, StoreError> {
        loop {
            let Shown(shown) = self.clock()?;
            let mut to = shown;
            change(&mut to);
            if to == shown || self.set_clock_from(shown, to)? {
                return Ok(Shown(to));
            }
        }
    }

    fn set_clock_from(&self, shown: Marker, to: Marker) -> Result<bool, StoreError> {
        let moved = self.io.shift(CLOCK, &shown, &to)?;
        if moved {
            self.io.sync(CLOCK).during("syncing the clock")?;
        }
        Ok(moved)
    }

    /// Remembers that a session may live until `cap`, before it begins.
    pub(super) fn note_cap(&self, shown: Shown, cap: Timestamp) -> Result<(), StoreError> {
        if cap <= shown.latest_cap() {
            return Ok(());
        }
        let day = cap.as_millis().div_euclid(DAY).saturating_add(1);
        let cap = day.saturating_mul(DAY);
        self.set_clock(|marker| marker.fields[CAP] = marker.fields[CAP].max(cap))?;
        Ok(())
    }

    /// Draws an epoch that nobody else has.
    pub(super) fn draw_epoch(&self) -> Result<Epoch, StoreError> {
        // Two that draw at once move to different states, so neither takes the other's move for his own.
        let own = nonce().cast_signed();
        let shown = self.set_clock(|marker| {
            marker.version = Epoch(marker.version).next(0).0;
            marker.fields[DRAWN] = own;
        })?;
        Ok(shown.epoch())
    }

    /// Sets the not-before of `scope`, and lets every node know before it returns.
    pub(super) fn set_not_before(
        &self,
        scope: &Scope,
        epoch: Epoch,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let path = not_before(scope);
        loop {
            let Shown(shown) = self.clock()?;
            let until = Shown(shown).latest_cap().max(now).plus(LOGIN);
            self.write_not_before(&path, epoch, until)?;
            let mut told = shown;
            told.fields[STAMP] = nonce().cast_signed();
            // Where a session with a later cap began in between, the not-before has to be kept longer.
            if self.set_clock_from(shown, told)? {
                return Ok(());
            }
        }
    }

    fn write_not_before(
        &self,
        path: &str,
        epoch: Epoch,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let until = until.as_millis();
        loop {
            let fresh = Marker {
                ended: false,
                version: epoch.0,
                nonce: nonce(),
                fields: [until, 0, 0, 0],
            };
            let Look::There { marker, .. } = self.io.look(path)? else {
                self.queue(Timestamp::from_millis(until), path)?;
                let prepared = self.io.prepare(path, fresh, None)?;
                if self.io.place(path, &prepared)? {
                    return Ok(());
                }
                continue;
            };
            if marker.ended {
                self.io.remove(path);
                continue;
            }
            let to = Marker {
                version: epoch.0.max(marker.version),
                fields: [until.max(marker.fields[0]), 0, 0, 0],
                ..marker
            };
            if to.fields != marker.fields {
                self.queue(Timestamp::from_millis(to.fields[0]), path)?;
            }
            if to == marker || self.io.shift(path, &marker, &to)? {
                return self.io.sync(path).during("syncing a not-before");
            }
        }
    }

    fn not_before_at(&self, path: &str) -> Result<Epoch, StoreError> {
        Ok(match self.io.look(path)? {
            Look::There { marker, .. } if !marker.ended => Epoch(marker.version),
            _ => Epoch::ZERO,
        })
    }

    /// The latest not-before that covers a session with this block; `shown` was read before.
    pub(super) fn not_before(
        &self,
        shown: Shown,
        security: &Security,
    ) -> Result<Epoch, StoreError> {
        let stamp = shown.0.fields[STAMP];
        let mut latest = Epoch::ZERO;
        for path in covering(security) {
            let known = known(&self.known, stamp, &path);
            let epoch = match known {
                Some(epoch) => epoch,
                None => {
                    let epoch = self.not_before_at(&path)?;
                    remember(&self.known, stamp, path, epoch);
                    epoch
                }
            };
            latest = latest.max(epoch);
        }
        Ok(latest)
    }

    /// Whether a session may be used at `now`.
    pub(super) fn is_live(
        &self,
        shown: Shown,
        record: &Record,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(now < record.deadline()
            && record.security.admitted >= self.not_before(shown, &record.security)?)
    }
}

fn known(known: &Mutex<Known>, stamp: i64, path: &str) -> Option<Epoch> {
    let known = known.lock();
    let epoch = known.by_path.get(path).copied();
    epoch.filter(|_| known.stamp == stamp)
}

fn remember(known: &Mutex<Known>, stamp: i64, path: String, epoch: Epoch) {
    let mut known = known.lock();
    if known.stamp != stamp {
        // Whose stamp is the later one cannot be told; either is looked up again where it matters.
        *known = Known {
            stamp,
            by_path: HashMap::new(),
        };
    }
    if known.by_path.len() < KNOWN_MAX {
        known.by_path.insert(path, epoch);
    }
}
