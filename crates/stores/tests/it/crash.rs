//! A crash at every sync point and between, on a disk that loses or tears what was not synced: whatever was
//! acknowledged is there, each operation happened whole or not at all, and no version comes a second time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_stores::EmbeddedStore;
use cloakroom_stores::embedded::Options;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::disk::{Disk, Event, Player, Tear};
use crate::model::{Client, Model};
use crate::{seed, soak};

fn start(disk: &Disk) -> EmbeddedStore {
    let disk = disk.clone();
    let options = Options {
        // Touches reach the disk by flush alone, so that a run can be repeated.
        touch_every: Duration::from_secs(3600),
        ..Options::default()
    };
    EmbeddedStore::open_on(move || Ok::<_, io::Error>(disk.clone()), options).unwrap()
}

/// One client's history: what holds after each of its steps.
struct History {
    client: Client,
    models: Vec<Model>,
}

/// The mark behind the making of the file: a file store makes it under another name.
const OPENED: usize = usize::MAX;

/// Marks in the journal: a step of a client has begun, or was acknowledged.
fn mark(client: usize, begun: bool) -> usize {
    client * 2 + usize::from(begun)
}

async fn record(clients: usize, steps: usize, seed: u64) -> (Vec<Event>, Vec<History>) {
    let disk = Disk::default().recording();
    let store = Arc::new(start(&disk));
    disk.mark(OPENED);
    let tasks: Vec<_> = (0..clients)
        .map(|number| {
            let (store, disk) = (Arc::clone(&store), disk.clone());
            tokio::spawn(async move {
                let mut client = Client::new(number, seed, clients == 1);
                let mut models = vec![client.model.clone()];
                for _ in 0..steps {
                    let begun = |_: &Model| disk.mark(mark(number, true));
                    client.step(&store, begun).await;
                    models.push(client.model.clone());
                    disk.mark(mark(number, false));
                }
                History { client, models }
            })
        })
        .collect();
    let mut histories = Vec::new();
    for task in tasks {
        histories.push(task.await.unwrap());
    }
    (disk.journal(), histories)
}

/// Where each client is at a place in the journal.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    begun: usize,
    acknowledged: usize,
}

async fn check_crash(image: Vec<u8>, histories: &[History], places: &[Place], what: &str) {
    let store = start(&Disk::of(image));
    for (history, place) in histories.iter().zip(places) {
        let acknowledged = &history.models[place.acknowledged];
        let mut found = history.client.check(&store, acknowledged).await;
        if let Err(before) = &found
            && place.begun > place.acknowledged
        {
            let after = &history.models[place.begun];
            let then = history.client.check(&store, after).await;
            found = then.map_err(|after| format!("neither before ({before}) nor after ({after})"));
        }
        if let Err(error) = found {
            panic!("{what}, at {place:?}: {error}");
        }
    }
    let at = histories.iter().zip(places);
    for (history, place) in at {
        let acknowledged = &history.models[place.acknowledged];
        history.client.check_counters(&store, acknowledged).await;
    }
}

async fn crash_everywhere(clients: usize, steps: usize, seed: u64) {
    let (journal, histories) = record(clients, steps, seed).await;
    let mut rng = StdRng::seed_from_u64(seed);
    let mut player = Player::default();
    let mut places = vec![Place::default(); clients];
    let (mut crashes, mut opened) = (0, false);
    for (index, event) in journal.iter().enumerate() {
        player.step(event);
        opened |= matches!(event, Event::Mark(OPENED));
        if let Event::Mark(mark) = event
            && *mark != OPENED
        {
            let place = &mut places[mark / 2];
            match mark % 2 {
                1 => place.begun += 1,
                _ => place.acknowledged += 1,
            }
        }
        let sync = matches!(event, Event::Sync);
        if !opened || !sync && !rng.random_bool(0.02) {
            continue;
        }
        for tear in [
            Tear::Drop,
            Tear::Keep,
            Tear::Prefix(rng.random()),
            Tear::Sectors(rng.random()),
        ] {
            let what = format!("seed {seed}, event {index}, {tear:?}");
            let image = player.crash(tear);
            check_crash(image, &histories, &places, &what).await;
            crashes += 1;
        }
    }
    println!(
        "{crashes} crashes in {} events, {clients} clients",
        journal.len()
    );
}

/// S-15, one client: every sync point.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_s_15_one_client_crashes_everywhere() {
    crash_everywhere(1, soak(150, 1500), seed()).await;
}

/// S-15, several clients whose writes share transactions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_s_15_many_clients_crash_everywhere() {
    crash_everywhere(8, soak(30, 200), seed()).await;
}
