//! Revocations of many sessions at once: noted in one step, compared at each read.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use cloakroom_core::Record;
use cloakroom_core::store::Scope;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parking_lot::Mutex;

/// Scopes that are remembered one by one; past that, everything from before counts as denied.
const SCOPES: usize = 4096;

/// Which scopes were revoked, by the order in which this node heard of it.
#[derive(Debug, Default)]
pub(super) struct Denials {
    known: AtomicU64,
    by_scope: Mutex<Noted>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Noted {
    latest: HashMap<u64, u64, RandomState>,
    /// Whatever is older is denied, since it is not known any more what was.
    floor: u64,
}

impl Denials {
    /// How many were heard of.
    pub(super) fn known(&self) -> u64 {
        self.known.load(Ordering::Acquire)
    }

    pub(super) fn note(&self, scope: &Scope) {
        let key = match scope {
            Scope::Everything => self.key(None, None),
            Scope::App(app) => self.key(Some(app.as_str()), None),
            Scope::Subject { app, subject } => {
                let app = app.as_ref().map(|app| app.as_str());
                self.key(app, Some(subject.as_str()))
            }
        };
        let mut noted = self.by_scope.lock();
        let number = self.known.load(Ordering::Acquire) + 1;
        if noted.latest.len() >= SCOPES {
            noted.latest.clear();
            noted.floor = number;
        }
        noted.latest.insert(key, number);
        // Last: whoever sees the number finds the scope.
        self.known.store(number, Ordering::Release);
    }

    /// Whether `record`, asked for when `known` denials were, was denied since.
    pub(super) fn reach(&self, record: &Record, known: u64) -> bool {
        if known == self.known() {
            return false;
        }
        let app = record.security.app.as_ref().map(|app| app.as_str());
        let subject = record.security.subject.as_ref().map(|s| s.as_str());
        // An anonymous session has the first two alone; they come twice.
        let keys = [
            self.key(None, None),
            self.key(app, None),
            self.key(None, subject),
            self.key(app, subject),
        ];
        let noted = self.by_scope.lock();
        let later = |key| noted.latest.get(key).is_some_and(|number| *number > known);
        known < noted.floor || keys.iter().any(later)
    }

    fn key(&self, app: Option<&str>, subject: Option<&str>) -> u64 {
        self.hasher.hash_one((app, subject))
    }
}
