//! Named cases of the lifecycle.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::lifecycle::{
    Basis, Begin, Draft, Ended, Intent, Opened, Outcome, Proof, Randomness, Renewal, TokenAction,
    Via, Write, authenticate, begin, close, confirm, open, renew, touch_due,
};
use cloakroom_core::record::Epoch;
use cloakroom_core::token::RenewalKey;
use cloakroom_core::{Edits, JsonText, Loaded, Policy, Record, SessionToken, Subject, Timestamp};

fn start() -> Timestamp {
    Timestamp::from_secs(1_800_000_000)
}

fn key() -> RenewalKey {
    RenewalKey::from_bytes([1; 32])
}

fn proof(subject: &str) -> Proof {
    Proof::of(Subject::new(subject).expect("a subject"))
}

fn session() -> (Record, SessionToken) {
    let mut edits = Edits::new();
    edits.set("cart", JsonText::of(&1).expect("a number"));
    let what = Begin {
        proof: Some(proof("ann")),
        edits,
        ..Begin::default()
    };
    begin(&what, &Policy::default(), start(), &[7; 32])
}

fn opened(record: &Record, token: &SessionToken, now: Timestamp) -> Opened {
    let loaded = Loaded {
        record: Arc::new(record.clone()),
        not_before: Epoch::ZERO,
        store_now: None,
    };
    open(&loaded, &token.secret().hash(), now)
}

fn via(record: &Record, token: &SessionToken, now: Timestamp) -> Via {
    match opened(record, token, now) {
        Opened::Live(live) => live.via,
        Opened::Ended(ended) => panic!("ended: {ended:?}"),
    }
}

fn login(record: &Record, subject: &str) -> (Record, SessionToken) {
    let policy = Policy::default();
    let done = authenticate(
        record,
        &proof(subject),
        Epoch::ZERO,
        &policy,
        start(),
        &[8; 16],
    );
    (record.apply(&done.change), done.token)
}

fn renewal(record: &Record, via: Via, nonce: u8) -> Renewal {
    let grace = Policy::default().renew_grace;
    renew(record, via, &key(), start(), grace, &[nonce; 16])
}

/// OW-10
#[test]
fn at_a_login_the_old_secret_dies_at_once() {
    let (record, old) = session();
    let (record, new) = login(&record, "ann");
    assert_eq!(
        opened(&record, &old, start()),
        Opened::Ended(Ended::Retired)
    );
    assert_eq!(via(&record, &new, start()), Via::Current);
}

/// OW-10: also the secrets of a renewal under way.
#[test]
fn at_a_login_a_secret_under_renewal_dies_too() {
    let (record, current) = session();
    let Renewal::Begun {
        change,
        token: next,
    } = renewal(&record, Via::Current, 1)
    else {
        panic!("a first renewal begins");
    };
    let (record, _) = login(&record.apply(&change), "ann");
    for token in [current, next] {
        assert!(matches!(opened(&record, &token, start()), Opened::Ended(_)));
    }
}

#[test]
fn the_data_of_one_subject_is_never_the_next_ones() {
    let (record, _) = session();
    let (same, _) = login(&record, "ann");
    assert_eq!(same.data.get("cart"), Some("1"));
    let (other, _) = login(&record, "ben");
    assert!(other.data.is_empty());
    let mut draft = Draft::default();
    draft
        .edits
        .set("of ann", JsonText::of(&1).expect("a number"));
    draft.authenticate(proof("ben"), record.security.subject.as_ref());
    draft
        .edits
        .set("of ben", JsonText::of(&2).expect("a number"));
    let after = written(&record, &draft, Outcome::Answered);
    let names: Vec<_> = after.data.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["of ben"]);
}

fn written(record: &Record, draft: &Draft, outcome: Outcome) -> Record {
    let plan = close(
        draft,
        Basis::Live(record, Via::Current),
        outcome,
        &Policy::default(),
        &key(),
        start(),
        &Randomness([9; 32]),
    )
    .expect("small data");
    match plan.write {
        Some(Write::Update { change, .. }) => record.apply(&change),
        None => record.clone(),
        other => panic!("{other:?}"),
    }
}

/// Tabs, late and lost responses: whoever asks by the old secret gets the same new one.
#[test]
fn a_renewal_answers_the_same_token_however_often_it_is_asked() {
    let (record, old) = session();
    let Renewal::Begun { change, token: new } = renewal(&record, Via::Current, 1) else {
        panic!("a first renewal begins");
    };
    let record = record.apply(&change);
    for nonce in 2..5 {
        let Renewal::Same(again) = renewal(&record, via(&record, &old, start()), nonce) else {
            panic!("a second renewal begins");
        };
        assert_eq!(again.expose(), new.expose());
    }
    // Seen once: from then on the old one is in its grace, and still leads to the same.
    let policy = Policy::default();
    let change = confirm(&record, via(&record, &new, start()), &policy, start());
    let record = record.apply(&change.expect("a first sight"));
    assert_eq!(via(&record, &new, start()), Via::Current);
    let late = start().plus(Duration::from_millis(9_999));
    assert_eq!(via(&record, &old, late), Via::Previous);
    let Renewal::Same(again) = renewal(&record, Via::Previous, 9) else {
        panic!("a late tab begins another renewal");
    };
    assert_eq!(again.expose(), new.expose());
    let over = start().plus(Duration::from_secs(10));
    assert_eq!(opened(&record, &old, over), Opened::Ended(Ended::Retired));
}

#[test]
fn without_a_first_sight_the_old_secret_works_on() {
    let (record, old) = session();
    let Renewal::Begun { change, .. } = renewal(&record, Via::Current, 1) else {
        panic!("a first renewal begins");
    };
    let record = record.apply(&change);
    let later = start().plus(Duration::from_secs(29 * 60));
    assert_eq!(via(&record, &old, later), Via::Current);
}

#[test]
fn a_failed_handler_authenticates_renews_and_saves_nothing() {
    let (record, _) = session();
    let intents = [
        Intent::Keep,
        Intent::Authenticate(proof("ben")),
        Intent::Replace,
        Intent::Renew,
    ];
    for intent in intents {
        let mut draft = Draft {
            intent,
            ..Draft::default()
        };
        draft.edits.set("a", JsonText::of(&1).expect("a number"));
        for basis in [Basis::Nothing, Basis::Live(&record, Via::Current)] {
            let plan = close(
                &draft,
                basis,
                Outcome::Failed,
                &Policy::default(),
                &key(),
                start(),
                &Randomness([9; 32]),
            )
            .expect("small data");
            assert!(plan.write.is_none());
            assert!(matches!(plan.token, TokenAction::Keep));
        }
    }
}

#[test]
fn nothing_moves_the_hard_cap() {
    let (mut record, _) = session();
    let cap = record.security.hard_cap;
    let policy = Policy {
        absolute_timeout: policy_years(),
        idle_timeout: policy_years(),
        ..Policy::default()
    };
    for days in 0..100 {
        let now = start().plus(Duration::from_secs(days * 86_400));
        let done = authenticate(&record, &proof("ann"), Epoch::ZERO, &policy, now, &[8; 16]);
        record = record.apply(&done.change);
        assert_eq!(record.security.hard_cap, cap);
        assert!(record.security.absolute_deadline <= cap);
        assert!(record.expires_at() <= cap);
    }
}

fn policy_years() -> Duration {
    Duration::from_secs(10 * 365 * 86_400)
}

/// The first moment at which a deadline is reached is the first at which the session is over.
#[test]
fn each_deadline_ends_the_session_at_its_first_moment() {
    let (record, token) = session();
    let ends = |record: &Record, at: Timestamp, why| {
        let before = at.minus(Duration::from_millis(1));
        assert!(matches!(opened(record, &token, before), Opened::Live(_)));
        assert_eq!(opened(record, &token, at), Opened::Ended(why));
    };
    ends(&record, record.activity.idle_deadline, Ended::Idle);
    let mut busy = record.clone();
    busy.activity.idle_deadline = Timestamp::NEVER;
    ends(&busy, busy.security.absolute_deadline, Ended::Absolute);
    busy.security.absolute_deadline = Timestamp::NEVER;
    ends(&busy, busy.security.hard_cap, Ended::HardCap);
}

#[test]
fn a_wrong_secret_learns_nothing_about_why_a_session_ended() {
    let (record, _) = session();
    let (_, stranger) = begin(&Begin::default(), &Policy::default(), start(), &[0; 32]);
    let far = start().plus(policy_years());
    for now in [start(), far] {
        let verdict = opened(&record, &stranger, now);
        assert_eq!(verdict, Opened::Ended(Ended::WrongSecret));
    }
}

#[test]
fn a_touch_is_due_only_after_the_threshold() {
    let (record, _) = session();
    let policy = Policy::default();
    let threshold = Policy::touch_threshold(record.security.idle_timeout);
    assert_eq!(threshold, Duration::from_secs(60));
    let early = start().plus(threshold).minus(Duration::from_millis(1));
    assert_eq!(touch_due(&record, &policy, early), None);
    let activity = touch_due(&record, &policy, start().plus(threshold)).expect("a touch");
    let idle = record.security.idle_timeout;
    assert_eq!(activity.idle_deadline, start().plus(threshold).plus(idle));
}

/// A policy that touches seldom must not end a session with a short idle timeout that is in use.
#[test]
fn a_session_in_use_is_touched_before_it_goes_idle() {
    let (mut record, token) = session();
    record.security.idle_timeout = Duration::from_secs(30);
    record.activity.idle_deadline = start().plus(Duration::from_secs(30));
    let policy = Policy {
        touch_every: Some(Duration::from_secs(60)),
        ..Policy::default()
    };
    for second in 1..300 {
        let now = start().plus(Duration::from_secs(second));
        assert_eq!(via(&record, &token, now), Via::Current);
        if let Some(activity) = touch_due(&record, &policy, now) {
            record.activity = record.activity.later(activity);
        }
    }
}
