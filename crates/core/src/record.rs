//! The session record: what a store keeps of one session.

use std::time::Duration;

use bytes::Bytes;

use crate::change::Change;
use crate::codec;
pub use crate::codec::Unknown;
use crate::data::Data;
use crate::grant::{Freeze, Grant};
use crate::subject::{App, Subject};
use crate::time::Timestamp;
use crate::token::{SecretHash, SessionId};

/// The stored value of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The public handle, by which the store finds it. Not part of the encoding: the key carries it.
    pub id: SessionId,
    /// Counts writes of data and of the security block; starts at 1 and never repeats. A touch does not count.
    pub version: u64,
    /// Who it is and how that is proven: one unit, read, written and merged whole.
    pub security: Security,
    /// A MAC over the encoded security block and the id, for stores outside the process (option `seal_security`).
    pub security_mac: Option<[u8; 32]>,
    /// When it was last used.
    pub activity: Activity,
    /// Where it is used from, as its creator described it.
    pub device: Device,
    /// The application's data.
    pub data: Data,
    /// Fields of a later release, passed through.
    pub unknown: Unknown,
}

/// The security block: everything that decides who may do what with a session, as one unit with a version of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Security {
    /// Counts writes of this block; starts at 1.
    pub version: u64,
    /// Generation floor: a revocation names "up to this epoch", so a frozen session can resume under the next one.
    pub epoch: u64,
    /// The store's revocation clock when the proof of its subject began; compared with the not-before of its subject.
    pub admitted: Epoch,
    /// The application it was created for.
    pub app: Option<App>,
    /// Who it belongs to; `None` for an anonymous session.
    pub subject: Option<Subject>,
    /// Hashes of the secrets that open it.
    pub secrets: Secrets,
    /// How strongly the subject was proven (`acr`, RFC 9068).
    pub acr: Option<Box<str>>,
    /// By which methods (`amr`, RFC 8176).
    pub amr: Vec<Box<str>>,
    /// When the subject was last proven.
    pub authenticated_at: Option<Timestamp>,
    /// When the session began.
    pub created_at: Timestamp,
    /// Silence after which it ends.
    pub idle_timeout: Duration,
    /// It ends then regardless; re-authentication moves this.
    pub absolute_deadline: Timestamp,
    /// It ends then whatever happens; fixed at creation, nothing moves it.
    pub hard_cap: Timestamp,
    /// Rights to refresh.
    pub grants: Vec<Grant>,
    /// Set while the session is frozen.
    pub freeze: Option<Freeze>,
    /// Fields of a later release, passed through.
    pub unknown: Unknown,
}

/// A point on a store's revocation clock: it counts revocations of many sessions at once.
///
/// The lower 16 bits name the node for stores where several nodes count (0 elsewhere), so epochs are totally ordered
/// by (counter, node).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

impl Epoch {
    /// Before every revocation.
    pub const ZERO: Self = Self(0);

    /// The next epoch as counted by `node`.
    #[must_use]
    pub const fn next(self, node: u16) -> Self {
        Self((((self.0 >> 16) + 1) << 16) | node as u64)
    }
}

/// Hashes of the secrets of one session, and where it stands in a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets {
    /// The secret that opens the session.
    pub current: SecretHash,
    /// From what the current secret was derived, where it came from a renewal: lets the answer be given again.
    pub current_from: Option<Derivation>,
    /// A renewal whose secret was not yet seen; the current one works until then.
    pub next: Option<NextSecret>,
    /// The secret before the current one.
    pub previous: Option<PreviousSecret>,
    /// How many renewals were made; numbers their secrets.
    pub renewals: u64,
}

/// What a renewal's secret is derived from, besides key and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Derivation {
    /// Number of the renewal.
    pub number: u64,
    /// Random bytes drawn for it.
    pub nonce: [u8; 16],
}

/// A renewal under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextSecret {
    /// Hash of the secret that the client was given.
    pub hash: SecretHash,
    /// From what it was derived.
    pub from: Derivation,
    /// When it was first given out.
    pub issued_at: Timestamp,
}

/// A secret that was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreviousSecret {
    /// Its hash; after `until`, its use is a sign of theft.
    pub hash: SecretHash,
    /// It opens the session until then; the time of replacement where it died at once.
    pub until: Timestamp,
}

/// When a session was last used, and until when it may stay silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// Last use that was written.
    pub last_seen: Timestamp,
    /// Without use it ends then.
    pub idle_deadline: Timestamp,
}

/// Where a session is used from: for the person's list of devices, never for a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Device {
    /// The `User-Agent` header.
    pub user_agent: Option<Box<str>>,
    /// The client's address as text.
    pub ip: Option<Box<str>>,
    /// A name the person gave it.
    pub label: Option<Box<str>>,
}

impl Record {
    /// The first moment at which the session can no longer be used, whatever the reason.
    pub fn deadline(&self) -> Timestamp {
        self.activity.idle_deadline.min(self.expires_at())
    }

    /// When it ends regardless of use: the earlier of absolute deadline and hard cap.
    pub fn expires_at(&self) -> Timestamp {
        self.security.absolute_deadline.min(self.security.hard_cap)
    }

    /// This record after `change`: one version later, its data edited, units replaced whole.
    ///
    /// The later idle deadline wins, so that a write which raced with a touch does not shorten the session; only a new
    /// security block, which may bring other timeouts, sets the activity as it says.
    #[must_use]
    pub fn apply(&self, change: &Change) -> Self {
        let activity = match change.activity {
            Some(activity) if change.security.is_some() => activity,
            Some(activity) => self.activity.later(activity),
            None => self.activity,
        };
        Self {
            id: self.id,
            version: self.version + 1,
            security: change.security.as_ref().unwrap_or(&self.security).clone(),
            // The MAC covered the old block; the store that seals writes the new one.
            security_mac: self.security_mac.filter(|_| change.security.is_none()),
            activity,
            device: change.device.as_ref().unwrap_or(&self.device).clone(),
            data: self.data.apply(&change.edits),
            unknown: self.unknown.clone(),
        }
    }

    /// The stored form: self-describing (CBOR, RFC 8949), versioned, not executable.
    pub fn encode(&self) -> Bytes {
        codec::encode_record(self)
    }

    /// Reads the stored form of the session `id`.
    ///
    /// # Errors
    /// [`DecodeError`] where the bytes are damaged or of a release that this one cannot read.
    pub fn decode(id: SessionId, bytes: &Bytes) -> Result<Self, DecodeError> {
        codec::decode_record(id, bytes)
    }
}

impl Activity {
    /// The one with the later idle deadline, and the later sight.
    #[must_use]
    pub fn later(self, other: Self) -> Self {
        Self {
            last_seen: self.last_seen.max(other.last_seen),
            idle_deadline: self.idle_deadline.max(other.idle_deadline),
        }
    }
}

/// Stored bytes that are not a record this release can read. It names the place, never the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not the encoding of a record.
    #[error("a session record is damaged at {0}")]
    Damaged(&'static str),
    /// A later release wrote it in a form that this one does not know.
    #[error("a session record has format {0}, which this release does not read")]
    Format(u64),
}
