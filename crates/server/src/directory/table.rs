//! Buckets of failed logins in a fixed amount of memory.

use cloakroom::Timestamp;
use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    time::Duration,
};

/// Buckets that share a place; a new one takes the place of the least of them.
const WAYS: usize = 8;

/// One counter of attempts. It leaks: `debt` is the time after which nothing is left of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    pub(super) key: u64,
    /// How much time from `at` on pays for all attempts.
    pub(super) debt: Duration,
    /// The last attempt that was let through.
    pub(super) at: Timestamp,
    /// Until then the bucket stands for somebody who has proven himself.
    pub(super) known_until: Timestamp,
}

impl Bucket {
    /// What is left of the debt.
    pub(super) fn owed(&self, now: Timestamp) -> Duration {
        self.debt.saturating_sub(now.since(self.at))
    }

    /// What makes it worth keeping: first having proven oneself, then being in debt.
    fn worth(&self, now: Timestamp) -> (bool, Duration) {
        (self.known_until > now, self.owed(now))
    }
}

/// A bucket as it is kept: key, debt in milliseconds, and the two times.
///
/// Plain numbers, because memory of nothing but zeros is taken from the system untouched: where few log in, most of the
/// table never becomes resident.
type Kept = [u64; 4];

impl From<Kept> for Bucket {
    fn from([key, debt, at, known_until]: Kept) -> Self {
        Self {
            key,
            debt: Duration::from_millis(debt),
            at: Timestamp::from_millis(at.cast_signed()),
            known_until: Timestamp::from_millis(known_until.cast_signed()),
        }
    }
}

impl From<Bucket> for Kept {
    fn from(bucket: Bucket) -> Self {
        [
            bucket.key,
            u64::try_from(bucket.debt.as_millis()).unwrap_or(u64::MAX),
            bucket.at.as_millis().cast_unsigned(),
            bucket.known_until.as_millis().cast_unsigned(),
        ]
    }
}

/// Buckets by key. Keys are hashed under a random seed, so that nobody can choose whose place to take.
pub(super) struct Table {
    seed: RandomState,
    sets: Box<[[Kept; WAYS]]>,
}

impl Table {
    /// Room for `sets` times 8 buckets, 32 bytes each, taken at once and never more.
    pub(super) fn new(sets: usize) -> Self {
        Self {
            seed: RandomState::new(),
            sets: vec![[[0; 4]; WAYS]; sets.max(1)].into_boxed_slice(),
        }
    }

    /// The bucket of `key`; an empty one where there is none.
    pub(super) fn get(&self, key: &impl Hash) -> Bucket {
        let (key, set) = self.place(key);
        let found = self.sets[set].iter().find(|kept| kept[0] == key);
        found.map_or_else(
            || Bucket {
                key,
                ..Bucket::default()
            },
            |kept| Bucket::from(*kept),
        )
    }

    /// Keeps what became of the bucket of `key`.
    pub(super) fn set(&mut self, key: &impl Hash, bucket: Bucket, now: Timestamp) {
        let (key, set) = self.place(key);
        let set = &mut self.sets[set];
        let own = set.iter().position(|kept| kept[0] == key);
        let least = || (0..WAYS).min_by_key(|way| Bucket::from(set[*way]).worth(now));
        if let Some(way) = own.or_else(least) {
            set[way] = Bucket { key, ..bucket }.into();
        }
    }

    fn place(&self, key: &impl Hash) -> (u64, usize) {
        // 0 marks an empty bucket.
        let hash = self.seed.hash_one(key).max(1);
        let sets = self.sets.len() as u64;
        (hash, usize::try_from((hash >> 16) % sets).unwrap_or(0))
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({} sets)", self.sets.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_and_the_indebted_stay_when_room_runs_out() {
        let (mut table, now) = (Table::new(1), Timestamp::from_secs(1000));
        let known = Bucket {
            known_until: now.plus(Duration::from_secs(1)),
            at: now,
            ..Bucket::default()
        };
        table.set(&"known", known, now);
        let deep = Bucket {
            debt: Duration::from_secs(500),
            at: now,
            ..Bucket::default()
        };
        table.set(&"deep", deep, now);
        for other in 0..1000 {
            let bucket = Bucket {
                debt: Duration::from_secs(1),
                at: now,
                ..Bucket::default()
            };
            table.set(&other, bucket, now);
        }
        assert!(table.get(&"known").known_until > now);
        assert_eq!(table.get(&"deep").owed(now), Duration::from_secs(500));
    }
}
