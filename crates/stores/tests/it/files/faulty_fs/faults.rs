//! When which fault comes: by chance, from a seed.

use std::time::Duration;

use fuser::Errno;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// How often faults come, in thousandths of the operations that they fit.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Rates(pub(super) [u32; 10]);

impl Rates {
    pub(in super::super) const NONE: Self = Self([0; 10]);
    pub(in super::super) const MANY: Self = Self([20, 10, 10, 30, 20, 10, 15, 100, 50, 0]);

    /// Every move is asked for twice.
    pub(in super::super) const MOVES_TWICE: Self = Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 1000]);

    /// The handle is no longer known; nothing is done.
    fn stale(&self) -> u32 {
        self.0[0]
    }
    /// The server answers an error; nothing is done.
    fn refused(&self) -> u32 {
        self.0[1]
    }
    /// The disk is full.
    fn full(&self) -> u32 {
        self.0[2]
    }
    /// It is done, the answer is lost, and the server is asked again.
    fn asked_twice(&self) -> u32 {
        self.0[3]
    }
    /// It is done, and the client is told that it failed.
    fn lost(&self) -> u32 {
        self.0[4]
    }
    /// The client is told that it failed, and then it is done.
    fn late(&self) -> u32 {
        self.0[5]
    }
    /// A sync fails.
    fn unsynced(&self) -> u32 {
        self.0[6]
    }
    /// Half of what was to be written is.
    fn short(&self) -> u32 {
        self.0[7]
    }
    /// A move is done, the answer is lost, and the server is asked again.
    fn moved_twice(&self) -> u32 {
        self.0[9]
    }
    /// It takes its time.
    fn slow(&self) -> u32 {
        self.0[8]
    }
}

/// What becomes of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Done,
    /// Not done.
    Fails(i32),
    /// Done, and done again: the second answer is the one that is heard.
    Twice,
    /// Done, and told so.
    DoneButFails(i32),
    /// Told so, and done after a while.
    FailsThenDone(i32),
}

pub(super) struct Faults(Mutex<(Rates, StdRng, u64)>);

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new((Rates::NONE, StdRng::seed_from_u64(seed), 0)))
    }

    pub(super) fn set(&self, rates: Rates) {
        self.0.lock().0 = rates;
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.0.lock().2
    }

    fn one(&self, chances: impl Fn(&Rates) -> Vec<(u32, Fate)>) -> Fate {
        let (fate, slow) = {
            let (rates, rng, count) = &mut *self.0.lock();
            let slow = rng.random_range(0..1000) < rates.slow();
            let slow = slow.then(|| rng.random_range(1..6_u64));
            let mut dice: u32 = rng.random_range(0..1000);
            let mut fate = Fate::Done;
            for (chance, bad) in chances(rates) {
                if dice < chance {
                    fate = bad;
                    *count += 1;
                    break;
                }
                dice -= chance;
            }
            (fate, slow)
        };
        if let Some(millis) = slow {
            std::thread::sleep(Duration::from_millis(millis));
        }
        fate
    }

    /// Of what only looks.
    pub(super) fn of_look(&self) -> Fate {
        self.one(|rates| {
            vec![
                (rates.stale(), Fate::Fails(Errno::ESTALE.code())),
                (rates.refused(), Fate::Fails(Errno::EIO.code())),
            ]
        })
    }

    /// Of what changes names.
    pub(super) fn of_change(&self, grows: bool) -> Fate {
        self.one(|rates| {
            vec![
                (rates.stale(), Fate::Fails(Errno::ESTALE.code())),
                (rates.refused(), Fate::Fails(Errno::EIO.code())),
                (
                    if grows { rates.full() } else { 0 },
                    Fate::Fails(Errno::ENOSPC.code()),
                ),
                (rates.asked_twice(), Fate::Twice),
                (rates.lost(), Fate::DoneButFails(Errno::ETIMEDOUT.code())),
                (rates.late(), Fate::FailsThenDone(Errno::ETIMEDOUT.code())),
            ]
        })
    }

    /// Of a move.
    pub(super) fn of_move(&self) -> Fate {
        match self.one(|rates| vec![(rates.moved_twice(), Fate::Twice)]) {
            Fate::Done => self.of_change(false),
            twice => twice,
        }
    }

    pub(super) fn of_sync(&self) -> Fate {
        self.one(|rates| vec![(rates.unsynced(), Fate::Fails(Errno::EIO.code()))])
    }

    /// How much of a write is done.
    pub(super) fn of_write(&self, len: usize) -> Result<usize, i32> {
        let full = Fate::Fails(Errno::ENOSPC.code());
        match self.one(|rates| vec![(rates.full(), full), (rates.short(), Fate::Twice)]) {
            Fate::Fails(error) => Err(error),
            Fate::Twice => Ok(len.div_ceil(2)),
            _ => Ok(len),
        }
    }
}
