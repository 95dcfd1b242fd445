//! The suite that every store passes, on a disk that loses what was not synced.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cloakroom_conformance::{Fixture, ManualClock, Offered};
use cloakroom_core::store::{Expected, Kind, Registry as _, SubjectIndex as _};
use cloakroom_core::{SessionId, Timestamp};
use cloakroom_stores::EmbeddedStore;
use cloakroom_stores::embedded::Options;
use redb::{Builder, TableDefinition};

use crate::disk::{Disk, Player, Tear};

struct OnDisk {
    disk: Disk,
    store: Option<Arc<EmbeddedStore>>,
    clock: ManualClock,
}

fn start(disk: &Disk) -> Arc<EmbeddedStore> {
    let disk = disk.clone();
    let make = move || Ok::<_, io::Error>(disk.clone());
    Arc::new(EmbeddedStore::open_on(make, Options::default()).unwrap())
}

impl OnDisk {
    fn restart_on(&mut self, image: Vec<u8>) {
        self.disk.set_down(true);
        self.store = None;
        self.disk = Disk::of(image).recording();
        self.store = Some(start(&self.disk));
    }
}

impl Fixture for OnDisk {
    type Store = EmbeddedStore;
    type Registry = EmbeddedStore;

    async fn open() -> Self {
        let disk = Disk::default().recording();
        let store = Some(start(&disk));
        Self {
            disk,
            store,
            clock: ManualClock::default(),
        }
    }

    fn store(&self) -> Arc<EmbeddedStore> {
        Arc::clone(self.store.as_ref().unwrap())
    }

    fn registry(&self) -> Option<Arc<EmbeddedStore>> {
        Some(self.store())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    async fn crash_and_reopen(&mut self) -> Offered {
        // What was on the disk before the journal began is empty, or the image it was made of.
        let mut player = Player::on(self.disk.origin());
        self.disk.set_down(true);
        for event in self.disk.journal() {
            player.step(&event);
        }
        self.restart_on(player.crash(Tear::Drop));
        Offered::Done
    }

    async fn damage(&mut self, id: SessionId) -> Offered {
        self.store = None;
        let disk = Disk::of(self.disk.image());
        flip(&disk, id);
        self.restart_on(disk.image());
        Offered::Done
    }

    async fn cut_off(&mut self, off: bool) -> Offered {
        self.disk.set_down(off);
        let store = self.store();
        if off {
            // It notices with the first commit that fails, and gives up with the second.
            while store.epoch().await.is_ok() {
                let any = Expected::Anything;
                let value = Some(Bytes::new());
                let put = store.put(Kind::Setting, "down", any, value, None, self.now());
                assert!(put.await.is_err(), "a commit without a disk");
            }
        } else {
            // It comes back by itself, though nobody writes.
            let deadline = Instant::now() + Duration::from_secs(20);
            while store.epoch().await.is_err() {
                assert!(Instant::now() < deadline, "it does not come back");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Offered::Done
    }
}

/// Turns one bit in the stored row of `id`.
pub(crate) fn flip(disk: &Disk, id: SessionId) {
    const RECORDS: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("records");
    let database = Builder::new().create_with_backend(disk.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut records = transaction.open_table(RECORDS).unwrap();
        let row = records.remove(id.as_bytes()).unwrap();
        let mut row = row.unwrap().value().to_vec();
        let middle = row.len() / 2;
        row[middle] ^= 1;
        records.insert(id.as_bytes(), &row[..]).unwrap();
    }
    transaction.commit().unwrap();
}

cloakroom_conformance::suite!(OnDisk);
