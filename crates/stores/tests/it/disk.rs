//! A disk that can lose what was not synced: a storage backend that keeps a journal of every write, and makes the image
//! that a crash at any point of it may leave.

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redb::StorageBackend;

/// A disk writes sectors of this size whole or not at all.
const SECTOR: usize = 512;

/// What happened, in order.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Write(usize, Vec<u8>),
    SetLen(usize),
    /// A sync was asked for; it has happened where [`Event::Synced`] follows.
    Sync,
    Synced,
    /// Something the test wants to know the place of.
    Mark(usize),
}

/// What a crash does to writes that were not synced.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tear {
    /// All are lost.
    Drop,
    /// All arrived.
    Keep,
    /// The first ones arrived, the last of them torn.
    Prefix(u64),
    /// Of every write any sectors arrived, in any order.
    Sectors(u64),
}

#[derive(Debug, Default)]
struct State {
    origin: Vec<u8>,
    image: Vec<u8>,
    journal: Vec<Event>,
    record: bool,
    down: bool,
}

/// See the module. Clones share the disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    state: Arc<Mutex<State>>,
}

impl Disk {
    /// With this on it.
    pub(crate) fn of(image: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.state().origin.clone_from(&image);
        disk.state().image = image;
        disk
    }

    /// Keeps a journal from now on.
    pub(crate) fn recording(self) -> Self {
        self.state().record = true;
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn mark(&self, number: usize) {
        self.state().push(Event::Mark(number));
    }

    pub(crate) fn journal(&self) -> Vec<Event> {
        self.state().journal.clone()
    }

    /// From now on nothing works any more, or works again.
    pub(crate) fn set_down(&self, down: bool) {
        self.state().down = down;
    }

    /// What was on it at first.
    pub(crate) fn origin(&self) -> Vec<u8> {
        self.state().origin.clone()
    }

    /// What is on it now.
    pub(crate) fn image(&self) -> Vec<u8> {
        self.state().image.clone()
    }

    fn live(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state();
        if state.down {
            return Err(io::Error::other("the disk is gone"));
        }
        Ok(state)
    }
}

impl State {
    fn push(&mut self, event: Event) {
        if self.record {
            self.journal.push(event);
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.live()?.image.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.live()?;
        let offset = usize::try_from(offset).unwrap();
        let from = state.image.get(offset..offset + out.len());
        out.copy_from_slice(from.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.live()?;
        let len = usize::try_from(len).unwrap();
        state.image.resize(len, 0);
        state.push(Event::SetLen(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.live()?.push(Event::Sync);
        self.live()?.push(Event::Synced);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.live()?;
        let offset = usize::try_from(offset).unwrap();
        put(&mut state.image, offset, data);
        state.push(Event::Write(offset, data.to_vec()));
        Ok(())
    }
}

fn put(image: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if image.len() < offset + data.len() {
        image.resize(offset + data.len(), 0);
    }
    image[offset..offset + data.len()].copy_from_slice(data);
}

/// Plays a journal, and makes images of crashes on the way.
#[derive(Debug, Default)]
pub(crate) struct Player {
    durable: Vec<u8>,
    unsynced: Vec<Event>,
}

impl Player {
    /// Begins with this on the disk.
    pub(crate) fn on(durable: Vec<u8>) -> Self {
        Self {
            durable,
            unsynced: Vec::new(),
        }
    }

    /// Takes the next event.
    pub(crate) fn step(&mut self, event: &Event) {
        match event {
            Event::Write(..) | Event::SetLen(_) => self.unsynced.push(event.clone()),
            Event::Synced => {
                for event in std::mem::take(&mut self.unsynced) {
                    apply(&mut self.durable, &event);
                }
            }
            Event::Sync | Event::Mark(_) => {}
        }
    }

    /// What is on the disk after a crash here.
    pub(crate) fn crash(&self, tear: Tear) -> Vec<u8> {
        let mut image = self.durable.clone();
        match tear {
            Tear::Drop => {}
            Tear::Keep => self
                .unsynced
                .iter()
                .for_each(|event| apply(&mut image, event)),
            Tear::Prefix(seed) => prefix(&mut image, &self.unsynced, seed),
            Tear::Sectors(seed) => sectors(&mut image, &self.unsynced, seed),
        }
        image
    }
}

fn apply(image: &mut Vec<u8>, event: &Event) {
    match event {
        Event::Write(offset, data) => put(image, *offset, data),
        Event::SetLen(len) => image.resize(*len, 0),
        Event::Sync | Event::Synced | Event::Mark(_) => {}
    }
}

fn prefix(image: &mut Vec<u8>, events: &[Event], seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let whole = rng.random_range(0..=events.len());
    events[..whole].iter().for_each(|event| apply(image, event));
    if let Some(Event::Write(offset, data)) = events.get(whole) {
        let sectors = rng.random_range(0..=data.len().div_ceil(SECTOR));
        put(image, *offset, &data[..data.len().min(sectors * SECTOR)]);
    }
}

/// A new length is a matter of its own: without it, what was written behind the old one is nowhere.
fn sectors(image: &mut Vec<u8>, events: &[Event], seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let chance = rng.random_range(0.1..0.9);
    for event in events {
        match event {
            Event::SetLen(len) if rng.random_bool(chance) => image.resize(*len, 0),
            Event::Write(offset, data) => {
                for (number, sector) in data.chunks(SECTOR).enumerate() {
                    let at = offset + number * SECTOR;
                    if at + sector.len() <= image.len() && rng.random_bool(chance) {
                        put(image, at, sector);
                    }
                }
            }
            _ => {}
        }
    }
}
