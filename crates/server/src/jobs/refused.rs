//! Tokens that opened nothing, counted by reason: strangers must not be able to flood the log with unknown ids.

use cloakroom_core::lifecycle::Ended;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Counts since the last summary.
#[derive(Debug, Default)]
pub struct Refused([AtomicU64; REASONS.len()]);

impl Refused {
    /// Counts one.
    pub fn note(&self, ended: Ended) {
        metrics::counter!("cloakroom_tokens_refused_total", "reason" => ended.as_str())
            .increment(1);
        let place = REASONS.iter().position(|reason| *reason == ended);
        if let Some(count) = place.and_then(|place| self.0.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One audit line for each reason that occurred since the last time.
    pub fn sum_up(&self) {
        for (reason, count) in REASONS.iter().zip(&self.0) {
            let count = count.swap(0, Ordering::Relaxed);
            if count > 0 {
                tracing::info!(target: "audit", event = "tokens_refused", reason = reason.as_str(), count, "tokens that opened nothing");
            }
        }
    }
}
