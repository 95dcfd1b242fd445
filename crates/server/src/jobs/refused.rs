//! Tokens that opened nothing, counted by reason: strangers must not be able to flood the log with unknown ids.

use cloakroom_core::{SessionId, lifecycle::Ended};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

const REASONS: [Ended; 8] = [
    Ended::Unknown,
    Ended::WrongSecret,
    Ended::Retired,
    Ended::Idle,
    Ended::Absolute,
    Ended::HardCap,
    Ended::Revoked,
    Ended::Frozen,
];

/// The most sessions whose replaced tokens are told one by one between two summaries.
const NAMED: usize = 256;

/// Counts since the last summary.
#[derive(Debug, Default)]
pub struct Refused {
    counts: [AtomicU64; REASONS.len()],
    /// Sightings of replaced tokens, by session.
    retired: Mutex<HashMap<SessionId, u64>>,
}

impl Refused {
    /// Counts a refusal. A replaced token, which only somebody has who held the session once, is told at once, but only
    /// once for a session until the next summary.
    pub fn note(&self, id: SessionId, ended: Ended) {
        metrics::counter!("cloakroom_tokens_refused_total", "reason" => ended.as_str())
            .increment(1);
        let place = REASONS.iter().position(|reason| *reason == ended);
        if let Some(count) = place.and_then(|place| self.counts.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if ended == Ended::Retired && self.is_news(id) {
            tracing::warn!(target: "audit", event = "retired_token", session_id = %id, "a replaced token was presented");
        }
    }

    fn is_news(&self, id: SessionId) -> bool {
        let mut retired = self.retired.lock();
        if retired.len() >= NAMED && !retired.contains_key(&id) {
            return false;
        }
        let seen = retired.entry(id).or_default();
        *seen += 1;
        *seen == 1
    }

    /// One audit line for each reason that occurred since the last time, and for each session whose replaced token was
    /// seen again and again.
    pub fn sum_up(&self) {
        for (reason, count) in REASONS.iter().zip(&self.counts) {
            let count = count.swap(0, Ordering::Relaxed);
            if count > 0 {
                tracing::info!(target: "audit", event = "tokens_refused", reason = reason.as_str(), count, "tokens that opened nothing");
            }
        }
        let retired = std::mem::take(&mut *self.retired.lock());
        for (id, count) in retired.into_iter().filter(|(_, count)| *count > 1) {
            tracing::warn!(target: "audit", event = "retired_token_repeated", session_id = %id, count, "a replaced token was presented again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_token_is_news_once_and_the_books_are_bounded() {
        let refused = Refused::default();
        let id = |n: u16| {
            let mut bytes = [0; 16];
            bytes[..2].copy_from_slice(&n.to_be_bytes());
            SessionId::from_bytes(bytes)
        };
        assert!(refused.is_news(id(1)) && !refused.is_news(id(1)));
        let told = (0..1000).filter(|n| refused.is_news(id(*n))).count();
        assert_eq!(told, NAMED - 1);
        refused.sum_up();
        assert!(refused.is_news(id(1)));
    }
}
