//! Random lives: requests of every sort with any token that was ever given out, some in parallel, some failing.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::lifecycle::{
    Basis, Begin, Draft, Intent, Opened, Outcome, Plan, Proof, Randomness, TokenAction, Via, Write,
    begin, close, open,
};
use cloakroom_core::record::Epoch;
use cloakroom_core::token::RenewalKey;
use cloakroom_core::{Edits, JsonText, Loaded, Policy, Record, SessionToken, Subject, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

use super::model::{Held, Model, Times, Verdict};

#[derive(Debug, Clone)]
struct Request {
    /// Which of the tokens given out so far, counted from the last one.
    token: usize,
    intent: Wish,
    edit: Option<(u8, bool)>,
    fails: bool,
}

#[derive(Debug, Clone, Copy)]
enum Wish {
    Keep,
    Authenticate(usize),
    Replace,
    Renew,
}

#[derive(Debug, Clone)]
enum Step {
    One(Request),
    /// Both read the session, then the first writes, then the second.
    Two(Request, Request),
    Wait(u64),
}

fn request() -> impl Strategy<Value = Request> {
    let wish = prop_oneof![
        5 => Just(Wish::Keep),
        2 => (0..3_usize).prop_map(Wish::Authenticate),
        1 => Just(Wish::Replace),
        3 => Just(Wish::Renew),
    ];
    let edit = proptest::option::of((0..3_u8, any::<bool>()));
    (0..4_usize, wish, edit, proptest::bool::weighted(0.15)).prop_map(
        |(token, intent, edit, fails)| Request {
            token,
            intent,
            edit,
            fails,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![
        Just(0),
        Just(1_000),
        Just(9_999),
        Just(10_000),
        Just(29_999),
        Just(30_000),
        0..700_000_u64,
    ];
    prop_oneof![
        5 => request().prop_map(Step::One),
        2 => (request(), request()).prop_map(|(first, second)| Step::Two(first, second)),
        4 => wait.prop_map(Step::Wait),
    ]
}

fn policy(renews: bool) -> Policy {
    let minutes = |count: u64| Duration::from_secs(count * 60);
    Policy {
        idle_timeout: minutes(10),
        absolute_timeout: minutes(60),
        hard_cap: minutes(150),
        renew_every: renews.then(|| minutes(5)),
        ..Policy::default()
    }
}

fn times(policy: &Policy) -> Times {
    Times {
        idle: policy.idle_timeout,
        // 5% of ten minutes.
        threshold: Duration::from_secs(30),
        absolute: policy.absolute_timeout,
        grace: Duration::from_secs(10),
        renew_every: policy.renew_every,
    }
}

struct Life {
    policy: Policy,
    key: RenewalKey,
    record: Record,
    model: Model,
    given: Vec<SessionToken>,
    now: Timestamp,
    drawn: u64,
}

impl Life {
    fn new(renews: bool) -> Self {
        let policy = policy(renews);
        let now = Timestamp::from_secs(1_800_000_000);
        let (record, token) = begin(&Begin::default(), &policy, now, &[9; 32]);
        let model = Model {
            times: times(&policy),
            subject: None,
            data: Default::default(),
            current: 0,
            next: None,
            previous: None,
            used_at: now,
            absolute: now.plus(policy.absolute_timeout),
            cap: now.plus(policy.hard_cap),
            renewed_at: now,
        };
        Self {
            policy,
            key: RenewalKey::from_bytes([3; 32]),
            record,
            model,
            given: vec![token],
            now,
            drawn: 0,
        }
    }

    fn opened(&self, record: &Record, held: Held) -> Opened {
        let loaded = Loaded {
            record: Arc::new(record.clone()),
            not_before: Epoch::ZERO,
            store_now: None,
        };
        open(&loaded, &self.given[held].secret().hash(), self.now)
    }

    /// Every token that was ever given out opens as the table says; deadlines are as the table says.
    fn check(&self) -> Result<(), TestCaseError> {
        for held in 0..self.given.len() {
            let opened = self.opened(&self.record, held);
            let agrees = match (self.model.verdict(held, self.now), opened) {
                (Verdict::Lives(via), Opened::Live(live)) => via == live.via,
                (Verdict::Ended(why), Opened::Ended(ended)) => why == ended,
                (Verdict::LivesOrIdle(via), Opened::Live(live)) => via == live.via,
                (Verdict::LivesOrIdle(_), Opened::Ended(ended)) => ended.as_str() == "idle",
                _ => false,
            };
            let wanted = self.model.verdict(held, self.now);
            prop_assert!(agrees, "token {held}: {opened:?}, wanted {wanted:?}");
        }
        let security = &self.record.security;
        prop_assert_eq!(security.hard_cap, self.model.cap, "the hard cap moved");
        prop_assert!(security.absolute_deadline <= security.hard_cap);
        let data = self.record.data.iter();
        let data: std::collections::BTreeMap<_, _> = data
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect();
        prop_assert_eq!(&data, &self.model.data, "data");
        let subject = security
            .subject
            .as_ref()
            .map(|subject| subject.as_str().to_owned());
        prop_assert_eq!(subject, self.model.subject.map(name));
        Ok(())
    }

    fn held(&self, request: &Request) -> Held {
        self.given.len() - 1 - request.token % self.given.len()
    }

    fn via(&self, record: &Record, held: Held) -> Option<Via> {
        match self.opened(record, held) {
            Opened::Live(live) => Some(live.via),
            Opened::Ended(_) => None,
        }
    }

    /// One request on what it read; `false` where the store would answer a conflict.
    fn carry_out(
        &mut self,
        request: &Request,
        read: &Record,
        via: Via,
        at_read: &Model,
    ) -> Result<bool, TestCaseError> {
        let plan = self.plan(request, read, via);
        let stale = match &plan.write {
            Some(Write::Update { expect, .. }) => !expect.holds(&self.record),
            _ => false,
        };
        if stale {
            return Ok(false);
        }
        let before = self.record.clone();
        // What writes nothing that could conflict is answered as of when it read.
        let judged_by = match plan.write {
            Some(Write::Update { .. }) => self.model.clone(),
            _ => at_read.clone(),
        };
        match plan.write {
            Some(Write::Update { change, .. }) => self.record = self.record.apply(&change),
            Some(Write::Touch(_, activity)) => {
                self.record.activity = self.record.activity.later(activity);
            }
            Some(Write::Create(..)) => prop_assert!(false, "a live session begins another"),
            None => {}
        }
        if request.fails {
            let kept = &self.record;
            prop_assert_eq!(&kept.data, &before.data, "a failed request saved data");
            prop_assert_eq!(&kept.security.subject, &before.security.subject);
            prop_assert!(
                matches!(plan.token, TokenAction::Keep),
                "a failed request gave a token"
            );
        }
        self.follow(request, via, plan.token, &judged_by)?;
        Ok(true)
    }

    fn plan(&mut self, request: &Request, read: &Record, via: Via) -> Plan {
        let mut draft = Draft::default();
        if let Some((at, sets)) = request.edit {
            let mut edits = Edits::new();
            let name = format!("n{at}");
            if sets {
                edits.set(name, JsonText::of(&self.drawn).expect("a number"));
            } else {
                edits.remove(name);
            }
            draft.edits = edits;
        }
        draft.intent = match request.intent {
            Wish::Keep => Intent::Keep,
            Wish::Replace => Intent::Replace,
            Wish::Renew => Intent::Renew,
            Wish::Authenticate(who) => {
                Intent::Authenticate(Proof::of(Subject::new(name(who)).expect("a subject")))
            }
        };
        let outcome = if request.fails {
            Outcome::Failed
        } else {
            Outcome::Answered
        };
        self.drawn += 1;
        let mut random = [0x55; 32];
        random[..8].copy_from_slice(&self.drawn.to_be_bytes());
        close(
            &draft,
            Basis::Live(read, via),
            outcome,
            &self.policy,
            &self.key,
            self.now,
            &Randomness(random),
        )
        .expect("small data")
    }

    /// The model does what the request did, and says which token it must have been given.
    fn follow(
        &mut self,
        request: &Request,
        via: Via,
        token: TokenAction,
        judged_by: &Model,
    ) -> Result<(), TestCaseError> {
        let timer = matches!(request.intent, Wish::Keep) && judged_by.renewal_due(via, self.now);
        let renews = matches!(request.intent, Wish::Renew) || timer;
        let same = judged_by.renewal_gives(via);
        let replaces = matches!(request.intent, Wish::Authenticate(_) | Wish::Replace);
        self.model.used(self.now);
        if !replaces || request.fails {
            self.model.seen(via, self.now);
        }
        if request.fails {
            return Ok(());
        }
        let given = match token {
            TokenAction::Keep => None,
            TokenAction::Set(token) => Some(self.remember(token)),
        };
        match (request.intent, given) {
            (Wish::Authenticate(who), Some(given)) => {
                prop_assert_eq!(given, self.given.len() - 1, "a login gave an old token");
                self.model.authenticated(who, given, self.now);
            }
            (Wish::Replace, Some(given)) => {
                prop_assert_eq!(given, self.given.len() - 1, "a change of privilege did too");
                self.model.replaced(given, self.now);
            }
            (Wish::Renew | Wish::Keep, Some(given)) if renews => match same {
                Some(same) => prop_assert_eq!(given, same, "a renewal gave another token"),
                None => {
                    prop_assert_eq!(given, self.given.len() - 1, "a renewal gave an old token");
                    self.model.next = Some(given);
                }
            },
            (Wish::Keep, None) if !renews => {}
            (wish, given) => prop_assert!(false, "{wish:?} by {via:?} gave {given:?}"),
        }
        if let Some((at, sets)) = request.edit {
            let name = format!("n{at}");
            if sets {
                self.model.data.insert(name, (self.drawn - 1).to_string());
            } else {
                self.model.data.remove(&name);
            }
        }
        Ok(())
    }

    /// The number of `token`, a new one where it was never given out.
    fn remember(&mut self, token: SessionToken) -> Held {
        let text = token.expose();
        let known = self.given.iter().position(|given| given.expose() == text);
        known.unwrap_or_else(|| {
            self.given.push(token);
            self.given.len() - 1
        })
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Wait(millis) => self.now = self.now.plus(Duration::from_millis(*millis)),
            Step::One(request) => {
                let (held, read) = (self.held(request), self.record.clone());
                if let Some(via) = self.via(&read, held) {
                    prop_assert!(
                        self.carry_out(request, &read, via, &self.model.clone())?,
                        "a conflict with nobody"
                    );
                }
            }
            Step::Two(first, second) => {
                let read = self.record.clone();
                let at_read = self.model.clone();
                let tokens = [self.held(first), self.held(second)];
                let vias = tokens.map(|held| self.via(&read, held));
                for ((request, held), via) in [first, second].into_iter().zip(tokens).zip(vias) {
                    let Some(via) = via else { continue };
                    if self.carry_out(request, &read, via, &at_read)? {
                        continue;
                    }
                    // A conflict: judged anew by the newer record, where it may no longer open.
                    let newer = self.record.clone();
                    if let Some(via) = self.via(&newer, held) {
                        prop_assert!(
                            self.carry_out(request, &newer, via, &self.model.clone())?,
                            "a second conflict"
                        );
                    }
                }
            }
        }
        self.check()
    }
}

fn name(subject: usize) -> String {
    ["ann", "ben", "eve"][subject].to_owned()
}

/// More with `CLOAKROOM_SOAK=1`.
fn cases() -> u32 {
    if std::env::var_os("CLOAKROOM_SOAK").is_some_and(|value| value == "1") {
        20_000
    } else {
        150
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// OW-10, AV-7.2.4, NI-6, DESIGN 1.1 and 1.3 together.
    #[test]
    fn every_life_follows_the_table(
        renews in any::<bool>(),
        steps in vec(step(), 1..60),
    ) {
        let mut life = Life::new(renews);
        life.check()?;
        for step in &steps {
            life.take(step)?;
        }
    }
}
