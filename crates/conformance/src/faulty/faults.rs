//! Which operations fail, when and how.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloakroom_core::StoreError;
use cloakroom_core::store::ErrorKind;
use tokio::sync::watch;

/// An operation of a store or registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `Store::create`
    Create,
    /// `Store::load`
    Load,
    /// `Store::update`
    Update,
    /// `Store::touch`
    Touch,
    /// `Store::delete`
    Delete,
    /// `Store::sweep`
    Sweep,
    /// `Store::flush`
    Flush,
    /// `SubjectIndex::epoch`
    Epoch,
    /// `SubjectIndex::list`
    ListSessions,
    /// `SubjectIndex::revoke_all`
    RevokeAll,
    /// `ReplayGuard::first_seen`
    FirstSeen,
    /// `Registry::get`
    Get,
    /// `Registry::put`
    Put,
    /// `Registry::list`
    ListEntries,
    /// `Registry::changed`
    Changed,
}

impl Operation {
    const COUNT: usize = 15;

    /// Whether it changes what is kept.
    pub const fn writes(self) -> bool {
        matches!(
            self,
            Self::Create
                | Self::Update
                | Self::Touch
                | Self::Delete
                | Self::Sweep
                | Self::Flush
                | Self::RevokeAll
                | Self::FirstSeen
                | Self::Put
        )
    }
}

/// Which operations a fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// All.
    Every,
    /// Those that change what is kept.
    Writes,
    /// The others.
    Reads,
    /// One.
    Only(Operation),
}

impl Target {
    fn covers(self, operation: Operation) -> bool {
        match self {
            Self::Every => true,
            Self::Writes => operation.writes(),
            Self::Reads => !operation.writes(),
            Self::Only(one) => one == operation,
        }
    }
}

/// One thing that goes wrong: `Fault::error(kind).on(target).nth(3)`.
#[derive(Debug, Clone)]
pub struct Fault {
    target: Target,
    skip: u64,
    times: Option<u64>,
    after: bool,
    effect: Effect,
}

#[derive(Debug, Clone)]
enum Effect {
    Error(ErrorKind),
    Delay(Duration),
    Hold(Gate),
}

impl Fault {
    /// Every operation, always, answers an error of `kind` and does nothing; narrow it by the methods below.
    pub fn error(kind: ErrorKind) -> Self {
        Self::of(Effect::Error(kind))
    }

    /// Every operation takes that much longer.
    pub fn delay(by: Duration) -> Self {
        Self::of(Effect::Delay(by))
    }

    /// Every operation waits at `gate` until it is opened.
    pub fn hold(gate: &Gate) -> Self {
        Self::of(Effect::Hold(gate.clone()))
    }

    fn of(effect: Effect) -> Self {
        Self {
            target: Target::Every,
            skip: 0,
            times: None,
            after: false,
            effect,
        }
    }

    /// Only for these operations.
    #[must_use]
    pub fn on(mut self, target: Target) -> Self {
        self.target = target;
        self
    }

    /// Only the `n`-th of them, counted from 1 and from when the fault was added.
    #[must_use]
    pub fn nth(mut self, n: u64) -> Self {
        self.skip = n.saturating_sub(1);
        self.times = Some(1);
        self
    }

    /// At most that many times.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// After the operation took effect: it happened, but its answer is lost (or late).
    #[must_use]
    pub fn after_effect(mut self) -> Self {
        self.after = true;
        self
    }

    /// Whether it strikes now; counts the call.
    fn strikes(&mut self, operation: Operation) -> bool {
        if !self.target.covers(operation) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        match &mut self.times {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

/// The handle by which a test programs a [`Faulty`](super::Faulty) store. Clones are one handle.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Program>>);

#[derive(Debug, Default)]
struct Program {
    faults: Vec<Fault>,
    calls: [u64; Operation::COUNT],
    injected: u64,
}

impl Faults {
    /// From now on `fault` too; where several strike at once, the one added first wins.
    pub fn add(&self, fault: Fault) {
        self.program().faults.push(fault);
    }

    /// Nothing goes wrong any more.
    pub fn clear(&self) {
        self.program().faults.clear();
    }

    /// How often `operation` was called so far, faults included.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.program().calls[operation as usize]
    }

    /// How many faults struck so far.
    pub fn injected(&self) -> u64 {
        self.program().injected
    }

    fn program(&self) -> MutexGuard<'_, Program> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the call and carries out what comes before the operation; what is to come after it is answered.
    pub(super) async fn before(&self, operation: Operation) -> Result<After, StoreError> {
        let struck = {
            let mut program = self.program();
            program.calls[operation as usize] += 1;
            let struck = program
                .faults
                .iter_mut()
                .find_map(|fault| fault.strikes(operation).then(|| fault.clone()));
            program.injected += u64::from(struck.is_some());
            struck
        };
        match struck {
            Some(fault) if fault.after => Ok(After(Some(fault.effect))),
            Some(fault) => fault.effect.strike().await.map(|()| After(None)),
            None => Ok(After(None)),
        }
    }
}

/// What strikes once the operation took effect.
pub(super) struct After(Option<Effect>);

impl After {
    pub(super) async fn strike(self) -> Result<(), StoreError> {
        match self.0 {
            Some(effect) => effect.strike().await,
            None => Ok(()),
        }
    }
}

impl Effect {
    async fn strike(self) -> Result<(), StoreError> {
        match self {
            Self::Error(kind) => Err(StoreError::new(kind, "a fault for a test")),
            Self::Delay(by) => {
                tokio::time::sleep(by).await;
                Ok(())
            }
            Self::Hold(gate) => {
                gate.pass().await;
                Ok(())
            }
        }
    }
}

/// Holds operations at one point until a test lets them go, so that a race happens in the order the test wants.
#[derive(Debug, Clone)]
pub struct Gate {
    open: watch::Sender<bool>,
    arrived: watch::Sender<usize>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self {
            open: watch::Sender::new(false),
            arrived: watch::Sender::new(0),
        }
    }

    /// Waits until `count` operations have come to the gate, held or passed.
    pub async fn arrived(&self, count: usize) {
        // The senders live in `self`, so the channel cannot close while this waits.
        let _ = self
            .arrived
            .subscribe()
            .wait_for(|arrived| *arrived >= count)
            .await;
    }

    /// Lets all pass, now and later.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    async fn pass(&self) {
        self.arrived.send_modify(|arrived| *arrived += 1);
        let _ = self.open.subscribe().wait_for(|open| *open).await;
    }
}
