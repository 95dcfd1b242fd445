//! The revocation clock, and from which epoch on logins count, by scope.

use std::hash::BuildHasher as _;

use foldhash::quality::RandomState;

use super::account::{Account, block};
use super::table::Table;
use crate::record::{Epoch, Security};
use crate::store::Scope;
use crate::subject::{App, Subject};
use crate::time::Timestamp;

struct Mark {
    scope: Scope,
    epoch: Epoch,
    /// Every session that was admitted before is past its hard cap then.
    until: Timestamp,
}

/// Not-befores, within the reservation like everything else.
///
/// The index of this store misses nothing, so a not-before only matters to logins under way. Where there is no room for
/// one more, the floor rises instead: every login under way has to be proven again, whoever it is of.
pub(super) struct NotBefore {
    epoch: Epoch,
    floor: Epoch,
    marks: Table<Mark>,
    hasher: RandomState,
}

type Parts<'a> = (Option<&'a str>, Option<&'a str>);

fn parts(scope: &Scope) -> Parts<'_> {
    match scope {
        Scope::Everything => (None, None),
        Scope::App(app) => (Some(app.as_str()), None),
        Scope::Subject { app, subject } => (app.as_ref().map(App::as_str), Some(subject.as_str())),
    }
}

fn names(scope: &Scope) -> usize {
    let (app, subject) = parts(scope);
    block(app.map_or(0, str::len)) + block(subject.map_or(0, str::len))
}

impl NotBefore {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self {
            epoch: Epoch::ZERO,
            floor: Epoch::ZERO,
            marks: Table::new(),
            hasher,
        }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// What it takes.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        let names: usize = self.marks.iter().map(|mark| names(&mark.scope)).sum();
        self.marks.size() + names
    }

    /// What must be there to revoke `scope`.
    pub(super) fn needs(&self, scope: &Scope) -> usize {
        if self.at(parts(scope)).is_some() {
            return 0;
        }
        self.marks.needs() + names(scope)
    }

    fn at(&self, parts: Parts<'_>) -> Option<&Mark> {
        let is = |mark: &Mark| self::parts(&mark.scope) == parts;
        self.marks.find(self.hasher.hash_one(parts), is)
    }

    /// The latest not-before that covers a session.
    pub(super) fn of(&self, security: &Security) -> Epoch {
        if self.marks.len() == 0 {
            return Epoch::ZERO;
        }
        let app = security.app.as_ref().map(App::as_str);
        let subject = security.subject.as_ref().map(Subject::as_str);
        // Where one of the names is missing the same mark is asked twice, which is cheaper than to find out.
        let scopes = [(None, None), (app, None), (None, subject), (app, subject)];
        let epochs = scopes.into_iter().filter_map(|parts| self.at(parts));
        epochs.map(|mark| mark.epoch).max().unwrap_or_default()
    }

    /// Whether a login with this security block comes too late.
    pub(super) fn refuses(&self, security: &Security) -> bool {
        security.admitted < self.of(security).max(self.floor)
    }

    /// Raises the clock and sets it as the not-before of `scope`, to be kept until `until`.
    pub(super) fn revoke(&mut self, account: &Account, scope: &Scope, until: Timestamp) -> Epoch {
        self.epoch = self.epoch.next(0);
        let epoch = self.epoch;
        let hash = self.hasher.hash_one(parts(scope));
        let is = |mark: &Mark| parts(&mark.scope) == parts(scope);
        if let Some(mark) = self.marks.find_mut(hash, is) {
            (mark.epoch, mark.until) = (epoch, mark.until.max(until));
            return epoch;
        }
        let charged = self.needs(scope);
        if !account.charge(charged) {
            self.floor = epoch;
            return epoch;
        }
        let before = self.marks.size();
        let mark = Mark {
            scope: scope.clone(),
            epoch,
            until,
        };
        let hasher = &self.hasher;
        self.marks
            .insert(hash, mark, |mark| hasher.hash_one(parts(&mark.scope)));
        account.refund(charged - (self.marks.size() - before) - names(scope));
        epoch
    }

    /// Drops what no session can need any more.
    pub(super) fn forget(&mut self, account: &Account, now: Timestamp) {
        let mut freed = 0;
        self.marks.retain(|mark| {
            let keep = now < mark.until;
            freed += if keep { 0 } else { names(&mark.scope) };
            keep
        });
        let hasher = &self.hasher;
        freed += self
            .marks
            .shrink(account, |mark| hasher.hash_one(parts(&mark.scope)));
        account.refund(freed);
    }
}
