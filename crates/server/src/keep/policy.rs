//! The session rules that the configuration asks for.

use crate::config;
use cloakroom_core::{Limits, Policy, SubjectLimit, policy::OnFull};

pub(super) fn of(session: &config::Session) -> Policy {
    let per_subject = match session.on_full {
        config::OnFull::Allow => SubjectLimit::NONE,
        config::OnFull::Deny => limit(session, OnFull::Deny),
        config::OnFull::EndOldest => limit(session, OnFull::EndOldest),
    };
    let defaults = Policy::default();
    Policy {
        idle_timeout: session.idle_timeout.get(),
        absolute_timeout: session.absolute_timeout.get(),
        hard_cap: defaults.hard_cap.max(session.absolute_timeout.get()),
        touch_every: session.touch_every.on().map(|every| every.get()),
        renew_every: session.renew_every.on().map(|every| every.get()),
        renew_grace: session.renew_grace.get(),
        per_subject,
        limits: Limits {
            data_bytes: session.data_limit.as_usize(),
            ..Limits::default()
        },
    }
}

fn limit(session: &config::Session, on_full: OnFull) -> SubjectLimit {
    SubjectLimit {
        max: Some(session.max_per_subject),
        on_full,
    }
}
