//! How long somebody has to wait before the next password is looked at.
//!
//! A guesser must become slow, and nobody may be able to lock somebody else out. So every counter but one belongs to
//! where the guesses come from; the one that belongs to the account alone is not asked where the person has logged in
//! before, by device or by network; and every wait is short. Rules only: no clock, no chance, no I/O.

use super::table::{Bucket, Table};
use cloakroom::Timestamp;
use std::{net::IpAddr, time::Duration};

/// Where an attempt comes from: what one customer of a provider usually has (IPv4 /24, IPv6 /56).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// A /24.
    V4([u8; 3]),
    /// A /56.
    V6([u8; 7]),
    /// No address is known: a unix socket.
    Local,
}

impl Network {
    /// The network of an address.
    #[must_use]
    pub fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => {
                let [a, b, c, _] = address.octets();
                Self::V4([a, b, c])
            }
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, e, f, g, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g])
            }
            None => Self::Local,
        }
    }
}

/// One counter's rule: `free` attempts at once, one more every `leak`; beyond that each doubles the wait, from 1 s to
/// `longest`.
#[derive(Clone, Copy, Debug)]
struct Rule {
    free: u32,
    leak: Duration,
    longest: Duration,
}

/// One person's mistakes at one place.
const PAIR: Rule = Rule {
    free: 5,
    leak: Duration::from_secs(60),
    longest: Duration::from_secs(60),
};

/// All guesses from one network: an office of many people has room in it.
const NETWORK: Rule = Rule {
    free: 60,
    leak: Duration::from_secs(5),
    longest: Duration::from_secs(30),
};

/// All guesses at one account from places where nobody has ever logged in to it: many networks guess together.
const ACCOUNT: Rule = Rule {
    free: 100,
    leak: Duration::from_secs(30),
    longest: Duration::from_secs(15),
};

/// One person's mistakes on a device that he has logged in from.
const DEVICE: Rule = Rule {
    free: 10,
    leak: Duration::from_secs(60),
    longest: Duration::from_secs(60),
};

/// How long a network counts as a place where the person has logged in.
const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// Debt beyond the free attempts that is remembered: a flood must not be paid for during days.
const DEEPEST: u32 = 10;

impl Rule {
    /// The rest of the wait after the last attempt that was let through. What was refused does not count, so nobody can
    /// make the wait longer by asking.
    fn wait(&self, bucket: &Bucket, now: Timestamp) -> Duration {
        let attempts = bucket.debt.as_millis().div_ceil(self.leak.as_millis());
        let Some(over) = attempts.checked_sub(u128::from(self.free) + 1) else {
            return Duration::ZERO;
        };
        let doublings = u32::try_from(over).unwrap_or(u32::MAX).min(16);
        let whole = Duration::from_secs(1 << doublings).min(self.longest);
        whole.saturating_sub(now.since(bucket.at))
    }

    fn charge(&self, bucket: Bucket, now: Timestamp) -> Bucket {
        let deepest = self.leak * (self.free + DEEPEST);
        Bucket {
            debt: (bucket.owed(now) + self.leak).min(deepest),
            at: now,
            ..bucket
        }
    }

    fn refund(&self, bucket: Bucket, now: Timestamp) -> Bucket {
        Bucket {
            debt: bucket.debt.saturating_sub(self.leak),
            at: bucket.at.min(now),
            ..bucket
        }
    }
}

/// Who tries to log in, and from where.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The name that was typed, whether anybody has it or not.
    pub account: &'a str,
    /// Where the request comes from.
    pub network: Network,
    /// The person has logged in from this very device before: what the directory keeps of its secret.
    pub device: Option<[u8; 32]>,
}

/// Whether a password is looked at.
#[derive(Debug)]
pub enum Verdict {
    /// Now; the attempt is counted as failed until [`Delays::succeeded`] takes that back.
    Go(Ticket),
    /// Only after this long.
    Wait(Duration),
}

/// An attempt under way.
#[derive(Debug)]
#[must_use]
pub struct Ticket(Charged);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charged {
    Device,
    /// Here the person has logged in before, so the account's own counter was left alone.
    KnownNetwork,
    Stranger,
}

/// All counters, in a fixed amount of memory (3 MiB, of which what is used becomes resident).
#[derive(Debug)]
pub struct Delays {
    pairs: Table,
    networks: Table,
    accounts: Table,
    devices: Table,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            pairs: Table::new(4096),
            networks: Table::new(4096),
            accounts: Table::new(2048),
            devices: Table::new(2048),
        }
    }
}

impl Delays {
    /// Asks whether an attempt may be made now, and counts it.
    pub fn begin(&mut self, who: &Attempt<'_>, now: Timestamp) -> Verdict {
        if let Some(device) = who.device {
            let key = (who.account, device);
            let bucket = self.devices.get(&key);
            let wait = DEVICE.wait(&bucket, now);
            if !wait.is_zero() {
                return Verdict::Wait(wait);
            }
            self.devices.set(&key, DEVICE.charge(bucket, now), now);
            return Verdict::Go(Ticket(Charged::Device));
        }
        let pair = self.pairs.get(&(who.account, who.network));
        let network = self.networks.get(&who.network);
        let account = self.accounts.get(&who.account);
        let is_known = pair.known_until > now;
        let mut wait = PAIR.wait(&pair, now).max(NETWORK.wait(&network, now));
        if !is_known {
            wait = wait.max(ACCOUNT.wait(&account, now));
        }
        if !wait.is_zero() {
            return Verdict::Wait(wait);
        }
        self.pairs
            .set(&(who.account, who.network), PAIR.charge(pair, now), now);
        self.networks
            .set(&who.network, NETWORK.charge(network, now), now);
        if is_known {
            return Verdict::Go(Ticket(Charged::KnownNetwork));
        }
        self.accounts
            .set(&who.account, ACCOUNT.charge(account, now), now);
        Verdict::Go(Ticket(Charged::Stranger))
    }

    /// The attempt was right: what it was charged is given back, and the network is known from now on.
    pub fn succeeded(&mut self, who: &Attempt<'_>, Ticket(charged): Ticket, now: Timestamp) {
        if let (Charged::Device, Some(device)) = (charged, who.device) {
            let key = (who.account, device);
            self.devices.set(&key, Bucket::default(), now);
        } else {
            let network = self.networks.get(&who.network);
            self.networks
                .set(&who.network, NETWORK.refund(network, now), now);
            if charged == Charged::Stranger {
                let account = self.accounts.get(&who.account);
                self.accounts
                    .set(&who.account, ACCOUNT.refund(account, now), now);
            }
        }
        let known = Bucket {
            known_until: now.plus(KNOWN_FOR),
            at: now,
            ..Bucket::default()
        };
        self.pairs.set(&(who.account, who.network), known, now);
    }
}
