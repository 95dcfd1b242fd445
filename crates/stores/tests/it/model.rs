//! One client of a store and what he must find again: a model that is compared after a crash.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::lifecycle::{Begin, Proof, authenticate, begin, replace_secret};
use cloakroom_core::record::{Activity, Epoch};
use cloakroom_core::store::{
    Expect, Expected, Kind, Put, Registry as _, ReplayGuard as _, Scope, Store as _,
    SubjectIndex as _, Updated,
};
use cloakroom_core::{
    App, Change, Edits, JsonText, Policy, Record, SessionId, Subject, SubjectLimit, Timestamp,
};
use cloakroom_stores::EmbeddedStore;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

pub(crate) const START: Timestamp = Timestamp::from_secs(1_800_000_000);
const FAR: Timestamp = Timestamp::from_secs(4_000_000_000);

/// What was done, as far as it can be found again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    /// Every session there ever was; `None` once it has ended.
    pub(crate) sessions: BTreeMap<SessionId, Option<Record>>,
    pub(crate) entries: BTreeMap<String, Option<Bytes>>,
    pub(crate) seen: Vec<[u8; 16]>,
    /// The highest version and epoch that were acknowledged.
    pub(crate) version: u64,
    pub(crate) epoch: Epoch,
}

/// One step.
#[derive(Debug, Clone)]
enum Step {
    Create(Box<Record>),
    Update(SessionId, Box<Change>),
    Touch(SessionId, Activity),
    Flush,
    Delete(SessionId),
    /// All sessions of the client, except one.
    Revoke(Option<SessionId>),
    Put(String, Option<Bytes>),
    See([u8; 16]),
    Sweep,
}

/// See the module.
pub(crate) struct Client {
    pub(crate) model: Model,
    subject: Subject,
    app: App,
    rng: StdRng,
    now: Timestamp,
    /// Whether it has the store for itself, and may sweep.
    alone: bool,
}

impl Client {
    pub(crate) fn new(number: usize, seed: u64, alone: bool) -> Self {
        Self {
            model: Model::default(),
            subject: Subject::new(format!("subject {number}")).unwrap(),
            app: App::new(format!("app {number}")).unwrap(),
            rng: StdRng::seed_from_u64(seed ^ (number as u64) << 32),
            now: START,
            alone,
        }
    }

    /// Does one random step. `begun` is told the model as it is if the step happens, before it is asked for.
    pub(crate) async fn step(&mut self, store: &EmbeddedStore, mut begun: impl FnMut(&Model)) {
        self.now = self.now.plus(Duration::from_secs(20));
        let epoch = store.epoch().await.unwrap();
        let step = self.choose(epoch);
        let mut then = self.model.clone();
        expect(&mut then, &step, self.now);
        begun(&then);
        self.model = then;
        self.ask(store, step).await;
    }

    fn choose(&mut self, epoch: Epoch) -> Step {
        let live: Vec<Record> = self
            .model
            .sessions
            .values()
            .flatten()
            .filter(|record| self.now < record.deadline())
            .cloned()
            .collect();
        let dice = self.rng.random_range(0..100);
        let value = || Bytes::from(vec![dice; 40 + usize::from(dice) * 20]);
        match dice {
            0..8 => Step::Put(format!("name {}", dice % 3), Some(value())),
            8..11 => Step::Put(format!("name {}", dice % 3), None),
            11..16 => Step::See(self.rng.random()),
            _ if live.len() < 3 || dice < 35 => Step::Create(Box::new(self.record(epoch))),
            _ => {
                let record = live[self.rng.random_range(0..live.len())].clone();
                self.choose_for(dice, &record, epoch)
            }
        }
    }

    fn choose_for(&mut self, dice: u8, record: &Record, epoch: Epoch) -> Step {
        let id = record.id;
        match dice {
            35..60 => Step::Update(id, Box::new(self.edit())),
            60..66 => {
                let change = replace_secret(record, self.now, &self.rng.random()).change;
                Step::Update(id, Box::new(change))
            }
            66..72 => {
                let proof = Proof::of(self.subject.clone());
                let policy = Policy::default();
                let random = self.rng.random();
                let done = authenticate(record, &proof, epoch, &policy, self.now, &random);
                Step::Update(id, Box::new(done.change))
            }
            72..82 => Step::Touch(
                id,
                Activity {
                    last_seen: self.now,
                    idle_deadline: self.now.plus(record.security.idle_timeout),
                },
            ),
            82..86 => Step::Flush,
            86..92 => Step::Delete(id),
            92..95 => Step::Revoke(None),
            95..97 => Step::Revoke(Some(id)),
            _ if self.alone => {
                self.now = self.now.plus(Duration::from_secs(600));
                Step::Sweep
            }
            _ => Step::Flush,
        }
    }

    fn record(&mut self, epoch: Epoch) -> Record {
        let mut random = [0; 32];
        self.rng.fill_bytes(&mut random);
        let what = Begin {
            app: Some(self.app.clone()),
            proof: Some(Proof::of(self.subject.clone())),
            edits: self.edit().edits,
            admitted: epoch,
            ..Begin::default()
        };
        begin(&what, &Policy::default(), self.now, &random).0
    }

    fn edit(&mut self) -> Change {
        let mut edits = Edits::new();
        let name = format!("name {}", self.rng.random_range(0..4));
        let text = "x".repeat(self.rng.random_range(0..3000));
        edits.set(name, JsonText::of(&text).unwrap());
        Change::of_data(edits)
    }

    /// Has it done; the answer must be what the model says.
    async fn ask(&mut self, store: &EmbeddedStore, step: Step) {
        let (now, none) = (self.now, SubjectLimit::NONE);
        match step {
            Step::Create(record) => {
                store.create(*record, none, now).await.unwrap();
            }
            Step::Update(id, change) => {
                let expect = self.model.sessions[&id].as_ref().unwrap().version - 1;
                let expect = Expect::Version(expect);
                let done = store.update(id, expect, *change, none, now).await.unwrap();
                assert!(matches!(done, Updated::Done { .. }), "{done:?}");
            }
            Step::Touch(id, activity) => drop(store.touch(id, activity, now).await.unwrap()),
            Step::Flush => store.flush().await.unwrap(),
            Step::Delete(id) => drop(store.delete(id).await.unwrap()),
            Step::Revoke(except) => {
                let scope = Scope::Subject {
                    app: None,
                    subject: self.subject.clone(),
                };
                let revoked = store.revoke_all(scope, except, now).await.unwrap();
                self.model.epoch = revoked.epoch;
                let kept = except.and_then(|id| self.model.sessions.get_mut(&id)?.as_mut());
                if let Some(kept) = kept {
                    kept.security.admitted = revoked.epoch;
                }
            }
            Step::Put(name, value) => {
                let (any, name) = (Expected::Anything, self.own(&name));
                let put = store.put(Kind::User, &name, any, value, None, now);
                let Put::Done(version) = put.await.unwrap() else {
                    panic!("a put that expects anything was refused");
                };
                self.model.version = version;
            }
            Step::See(key) => assert!(store.first_seen(&key, FAR, now).await.unwrap()),
            Step::Sweep => drop(store.sweep(now, 1000).await.unwrap()),
        }
    }

    fn own(&self, name: &str) -> String {
        format!("{}/{name}", self.app)
    }

    /// Whether the store holds what `model` says, and nothing that it says has ended.
    pub(crate) async fn check(&self, store: &EmbeddedStore, model: &Model) -> Result<(), String> {
        for (id, expected) in &model.sessions {
            let found = store.load(*id).await.map_err(|error| error.to_string())?;
            let found = found
                .filter(|found| found.record.security.admitted >= found.not_before)
                .map(|found| (*found.record).clone());
            same(found, expected.clone())?;
        }
        for (name, expected) in &model.entries {
            let found = store.get(Kind::User, &self.own(name), START).await;
            let found = found.map_err(|error| error.to_string())?;
            if found.map(|entry| entry.value) != *expected {
                return Err(format!("{name} is not what was put"));
            }
        }
        for key in &model.seen {
            if store.first_seen(key, FAR, START).await.unwrap() {
                return Err("a key that was seen is new again".into());
            }
        }
        Ok(())
    }

    /// Whether counters go on above what was acknowledged.
    pub(crate) async fn check_counters(&self, store: &EmbeddedStore, acknowledged: &Model) {
        let any = Expected::Anything;
        let put = store.put(Kind::User, "probe", any, Some(Bytes::new()), None, START);
        let Put::Done(version) = put.await.unwrap() else {
            panic!("a put that expects anything was refused");
        };
        assert!(version > acknowledged.version, "a version came again");
        let nobody = Scope::App(App::new("nobody").unwrap());
        let revoked = store.revoke_all(nobody, None, START).await.unwrap();
        assert!(revoked.epoch > acknowledged.epoch, "an epoch came again");
    }
}

/// What `step` does to what is there.
fn expect(model: &mut Model, step: &Step, now: Timestamp) {
    match step {
        Step::Create(record) => {
            model.sessions.insert(record.id, Some((**record).clone()));
        }
        Step::Update(id, change) => {
            let record = model.sessions.get_mut(id).unwrap().as_mut().unwrap();
            *record = record.apply(change);
        }
        Step::Touch(id, activity) => {
            let record = model.sessions.get_mut(id).unwrap().as_mut().unwrap();
            record.activity = record.activity.later(*activity);
        }
        Step::Delete(id) => {
            model.sessions.insert(*id, None);
        }
        Step::Revoke(except) => {
            for (id, session) in &mut model.sessions {
                match session {
                    Some(record) if Some(*id) == *except && now < record.deadline() => {
                        record.version += 1;
                        record.security.version += 1;
                    }
                    session => *session = None,
                }
            }
        }
        Step::Put(name, value) => {
            model.entries.insert(name.clone(), value.clone());
        }
        Step::See(key) => model.seen.push(*key),
        Step::Sweep => {
            for session in model.sessions.values_mut() {
                session.take_if(|record| record.deadline() <= now);
            }
        }
        Step::Flush => {}
    }
}

/// Equal but for what a crash may cost (touches) and for epochs, which the model does not count.
fn same(found: Option<Record>, expected: Option<Record>) -> Result<(), String> {
    match (found, expected) {
        (None, None) => Ok(()),
        (Some(mut found), Some(expected)) => {
            if found.activity.idle_deadline > expected.activity.idle_deadline {
                return Err("a session lives longer than it was ever told".into());
            }
            found.activity = expected.activity;
            found.security.admitted = expected.security.admitted;
            if found == expected {
                Ok(())
            } else {
                Err(format!(
                    "version {} for {}",
                    found.version, expected.version
                ))
            }
        }
        (Some(_), None) => Err("an ended session is back".into()),
        (None, Some(_)) => Err("a session is lost".into()),
    }
}
