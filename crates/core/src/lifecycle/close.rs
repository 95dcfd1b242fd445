//! The end of a request: what it did becomes at most one write and one word to the client about its token.

use super::{
    Begin, Proof, Renewal, Via, authenticate, begin, confirm, renew, renewal_due, replace_secret,
    touch_due,
};
use crate::change::{Change, Edits};
use crate::limits::LimitError;
use crate::policy::{Policy, SubjectLimit};
use crate::record::{Activity, Device, Epoch, Record};
use crate::store::Expect;
use crate::subject::{App, Subject};
use crate::time::Timestamp;
use crate::token::{RenewalKey, SessionId, SessionToken};

/// What a request did with its session so far, in memory.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// Changes of data.
    pub edits: Edits,
    /// What is to happen to the secret.
    pub intent: Intent,
    /// The device as this request shows it, for a session that begins.
    pub device: Device,
    /// The application that a session begins for.
    pub app: Option<App>,
    /// The revocation clock when this request began.
    pub admitted: Epoch,
}

impl Draft {
    /// The subject was proven. Where that is another one than `current`, what this request wrote so far belonged to the
    /// subject before and is dropped with his data.
    pub fn authenticate(&mut self, proof: Proof, current: Option<&Subject>) {
        let before = match &self.intent {
            Intent::Authenticate(earlier) => Some(&earlier.subject),
            _ => current,
        };
        if before.is_some_and(|subject| *subject != proof.subject) {
            self.edits = Edits::new();
        }
        self.intent = Intent::Authenticate(proof);
    }
}

/// What a request wants for its session's secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Intent {
    /// Nothing.
    #[default]
    Keep,
    /// The subject was proven: new secret, old one dead at once.
    Authenticate(Proof),
    /// A privilege changed: new secret, old one dead at once.
    Replace,
    /// A renewal on request: confirm, then retire.
    Renew,
}

/// What the request found.
#[derive(Debug, Clone, Copy)]
pub enum Basis<'a> {
    /// No session, or one that ended: a write begins a new one under a new id (OW-9).
    Nothing,
    /// A live session, and the secret that opened it.
    Live(&'a Record, Via),
}

/// How the handler ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It answered, with any status below 500.
    Answered,
    /// It failed: a 5xx, a panic, or the client went away. Authenticate and renew are not carried out, nothing is saved.
    Failed,
}

/// Random bytes for one close; which of them are used depends on the plan.
#[derive(Clone, Copy)]
pub struct Randomness(pub [u8; 32]);

/// What is to be done: at most one write, then at most one word to the client.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The write, if any.
    pub write: Option<Write>,
    /// What to tell the client, but only after the write succeeded.
    pub token: TokenAction,
}

/// One write.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "it lives for one call, on the stack; a box would cost every write an allocation"
)]
pub enum Write {
    /// A session begins.
    Create(Box<Record>, SubjectLimit),
    /// A session changes.
    Update {
        /// Which.
        id: SessionId,
        /// What must still hold.
        expect: Expect,
        /// How.
        change: Change,
        /// Checked where the change brings a subject.
        limit: SubjectLimit,
    },
    /// A session was used, nothing else: may be batched, may be lost by a crash.
    Touch(SessionId, Activity),
}

/// What the client is told about its token.
#[derive(Debug, Clone)]
pub enum TokenAction {
    /// Nothing: what it holds stays valid.
    Keep,
    /// It gets this one.
    Set(SessionToken),
}

/// Plans the end of a request. Called again with a newer record where the store answered a conflict.
///
/// # Errors
/// [`LimitError`] where the data would grow beyond the policy's limits; nothing is to be written then.
pub fn close(
    draft: &Draft,
    basis: Basis<'_>,
    outcome: Outcome,
    policy: &Policy,
    key: &RenewalKey,
    now: Timestamp,
    random: &Randomness,
) -> Result<Plan, LimitError> {
    policy.limits.check_edits(&draft.edits)?;
    match basis {
        Basis::Nothing => close_nothing(draft, outcome, policy, now, random),
        Basis::Live(record, via) => {
            close_live(draft, record, via, outcome, policy, key, now, random)
        }
    }
}

fn close_nothing(
    draft: &Draft,
    outcome: Outcome,
    policy: &Policy,
    now: Timestamp,
    random: &Randomness,
) -> Result<Plan, LimitError> {
    let proof = match &draft.intent {
        Intent::Authenticate(proof) => Some(proof.clone()),
        Intent::Keep | Intent::Replace | Intent::Renew => None,
    };
    // A visitor whose handler wrote nothing costs no row and no cookie; neither does a removal from nothing.
    let wanted = proof.is_some() || draft.edits.names_set().next().is_some();
    if !wanted || outcome == Outcome::Failed {
        return Ok(Plan {
            write: None,
            token: TokenAction::Keep,
        });
    }
    let what = Begin {
        app: draft.app.clone(),
        proof,
        device: draft.device.clone(),
        edits: draft.edits.clone(),
        idle_timeout: None,
        absolute_timeout: None,
        proven_at: None,
        admitted: draft.admitted,
    };
    let (record, token) = begin(&what, policy, now, &random.0);
    policy.limits.check_data(&record.data)?;
    Ok(Plan {
        write: Some(Write::Create(Box::new(record), policy.per_subject)),
        token: TokenAction::Set(token),
    })
}

#[expect(
    clippy::too_many_arguments,
    reason = "the pure core of close: everything it may depend on is an argument"
)]
fn close_live(
    draft: &Draft,
    record: &Record,
    via: Via,
    outcome: Outcome,
    policy: &Policy,
    key: &RenewalKey,
    now: Timestamp,
    random: &Randomness,
) -> Result<Plan, LimitError> {
    if outcome == Outcome::Failed {
        // Seeing the next secret is a fact about the client, not a wish of the handler that failed.
        let change = confirm(record, via, policy, now);
        return Ok(plan(record, change, None, policy, now));
    }
    let (mut change, token) = match &draft.intent {
        Intent::Authenticate(proof) => {
            let done = authenticate(record, proof, draft.admitted, policy, now, &lower(random));
            (Some(done.change), Some(done.token))
        }
        Intent::Replace => {
            let done = replace_secret(record, now, &lower(random));
            (Some(done.change), Some(done.token))
        }
        Intent::Renew => renewed(renew(
            record,
            via,
            key,
            now,
            policy.renew_grace,
            &lower(random),
        )),
        Intent::Keep if renewal_due(record, via, policy, now) => {
            let renewal = renew(record, via, key, now, policy.renew_grace, &lower(random));
            renewed(renewal)
        }
        Intent::Keep => (confirm(record, via, policy, now), None),
    };
    if !draft.edits.is_empty() {
        let change = change.get_or_insert_default();
        change.edits = std::mem::take(&mut change.edits).then(draft.edits.clone());
        policy.limits.check_data_with(&record.data, &change.edits)?;
    }
    Ok(plan(record, change, token, policy, now))
}

fn renewed(renewal: Renewal) -> (Option<Change>, Option<SessionToken>) {
    match renewal {
        Renewal::Begun { change, token } => (Some(*change), Some(token)),
        Renewal::Same(token) => (None, Some(token)),
    }
}

fn plan(
    record: &Record,
    change: Option<Change>,
    token: Option<SessionToken>,
    policy: &Policy,
    now: Timestamp,
) -> Plan {
    let touch = touch_due(record, policy, now);
    let write = match change {
        Some(mut change) => {
            // A write that happens anyway carries the touch along.
            change.activity = change.activity.or(touch);
            Some(Write::Update {
                id: record.id,
                expect: Expect::Security(record.security.version),
                change,
                limit: policy.per_subject,
            })
        }
        None => touch.map(|activity| Write::Touch(record.id, activity)),
    };
    Plan {
        write,
        token: token.map_or(TokenAction::Keep, TokenAction::Set),
    }
}

fn lower(random: &Randomness) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&random.0[..16]);
    bytes
}
