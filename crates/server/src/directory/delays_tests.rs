//! What the delays promise, against attackers of every pace.

use super::{Attempt, Delays, Network, Verdict};
use cloakroom::Timestamp;
use proptest::prelude::*;
use std::time::Duration;

const OWNER: Network = Network::V4([10, 0, 0]);

fn at(network: Network) -> Attempt<'static> {
    Attempt {
        account: "owner",
        network,
        device: None,
    }
}

fn log_in(delays: &mut Delays, who: &Attempt<'_>, now: Timestamp) {
    let Verdict::Go(ticket) = delays.begin(who, now) else {
        panic!("the owner had to wait")
    };
    delays.succeeded(who, ticket, now);
}

fn is_let_through(delays: &mut Delays, who: &Attempt<'_>, now: Timestamp) -> bool {
    matches!(delays.begin(who, now), Verdict::Go(_))
}

/// An attacker's steps: milliseconds since the one before, from which of his networks, at the owner's account or another.
fn attack() -> impl Strategy<Value = Vec<(u32, u8, bool)>> {
    proptest::collection::vec((0..20_000u32, 1..=255u8, any::<bool>()), 0..600)
}

proptest! {
    /// Wherever else the attacker sits and however he paces himself: where the owner has logged in before, by network or
    /// by device, he never waits.
    #[test]
    fn an_attacker_elsewhere_never_delays_the_owner(steps in attack(), device in any::<bool>()) {
        let mut delays = Delays::default();
        let mut now = Timestamp::from_secs(1_000_000);
        let network = if device { Network::V4([10, 9, 9]) } else { OWNER };
        let owner = Attempt { device: device.then_some([7; 32]), ..at(network) };
        log_in(&mut delays, &owner, now);
        for (pause, last, at_owner) in steps {
            now = now.plus(Duration::from_millis(pause.into()));
            let mut attacker = at(Network::V4([192, 0, last]));
            if !at_owner {
                attacker.account = "somebody else";
            }
            let _ = delays.begin(&attacker, now);
        }
        prop_assert!(is_let_through(&mut delays, &owner, now));
    }

    /// Where he has never been, an attacker delays the owner by at most 15 s; and nobody ever waits more than a minute.
    #[test]
    fn every_wait_is_short(steps in attack()) {
        let mut delays = Delays::default();
        let mut now = Timestamp::from_secs(1_000_000);
        for (pause, last, _) in steps {
            now = now.plus(Duration::from_millis(u64::from(pause) / 100));
            if let Verdict::Wait(wait) = delays.begin(&at(Network::V4([192, 0, last % 8])), now) {
                prop_assert!(wait <= Duration::from_secs(60));
                // Who waits as long as he was told is let through.
                now = now.plus(wait);
                prop_assert!(is_let_through(&mut delays, &at(Network::V4([192, 0, last % 8])), now));
            }
        }
        if let Verdict::Wait(wait) = delays.begin(&at(OWNER), now) {
            prop_assert!(wait <= Duration::from_secs(15));
        }
    }

    /// However he paces himself, an attacker in one network gets little more than one guess a minute at one account.
    #[test]
    fn a_guesser_is_slow(pause in 1..5_000u32) {
        let mut delays = Delays::default();
        let start = Timestamp::from_secs(1_000_000);
        let (mut now, mut guesses) = (start, 0);
        while now.since(start) < Duration::from_secs(3600) {
            guesses += u32::from(is_let_through(&mut delays, &at(OWNER), now));
            now = now.plus(Duration::from_millis(pause.into()));
        }
        prop_assert!(guesses <= 80, "{guesses} guesses in an hour");
    }
}

#[test]
fn a_person_may_mistype_five_times_and_then_waits_longer_each_time() {
    let (mut delays, mut now) = (Delays::default(), Timestamp::from_secs(1_000_000));
    for _ in 0..6 {
        assert!(is_let_through(&mut delays, &at(OWNER), now));
    }
    for seconds in [1, 2, 4, 8, 16] {
        let Verdict::Wait(wait) = delays.begin(&at(OWNER), now) else {
            panic!("no wait of {seconds} s")
        };
        assert_eq!(wait, Duration::from_secs(seconds));
        now = now.plus(wait);
        assert!(is_let_through(&mut delays, &at(OWNER), now));
    }
    log_in(&mut delays, &at(OWNER), now.plus(Duration::from_secs(60)));
    assert!(is_let_through(&mut delays, &at(OWNER), now));
}

#[test]
fn many_networks_that_guess_together_are_slow_too() {
    let (mut delays, mut now) = (Delays::default(), Timestamp::from_secs(1_000_000));
    let mut guesses = 0;
    for second in 0..3600u32 {
        now = now.plus(Duration::from_secs(1));
        let [_, b, c, d] = (second * 7).to_be_bytes();
        for last in 0..4 {
            let network = Network::V6([b, c, d, last, 1, 1, 1]);
            guesses += u32::from(is_let_through(&mut delays, &at(network), now));
        }
    }
    assert!(
        guesses <= 420,
        "{guesses} guesses in an hour from everywhere"
    );
}

#[test]
fn a_device_is_counted_by_itself() {
    let (mut delays, now) = (Delays::default(), Timestamp::from_secs(1_000_000));
    while is_let_through(&mut delays, &at(OWNER), now) {}
    let device = Attempt {
        device: Some([7; 32]),
        ..at(OWNER)
    };
    assert!(is_let_through(&mut delays, &device, now));
    while is_let_through(&mut delays, &device, now) {}
    let other = Attempt {
        device: Some([8; 32]),
        ..at(OWNER)
    };
    assert!(is_let_through(&mut delays, &other, now));
}
