//! Refresh grants and freezing: state that the security block carries for the token rules (DESIGN 6).
//!
//! The rules themselves come with the token crate; the form stands here now, because formats are what cannot be
//! changed later.

use crate::codec::Unknown;
use crate::time::Timestamp;

/// Grants that one session may hold at most.
pub const GRANTS_MAX: usize = 16;
/// Generations whose presented tags a grant remembers.
pub const GENERATIONS_KEPT: usize = 8;
/// Distinct presented tags remembered for each generation.
pub const TAGS_KEPT: usize = 4;

/// One client's right to refresh on one session: one client, scope, audience and key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// Handle of the grant within its session.
    pub id: u64,
    /// The client it was made for.
    pub client: Box<str>,
    /// Scope, space-separated (RFC 6749 3.3).
    pub scope: Box<str>,
    /// Audiences of its access tokens.
    pub audience: Vec<Box<str>>,
    /// What a refresh must be bound to, if anything.
    pub binding: Option<Binding>,
    /// Epoch under which its refresh tokens are valid.
    pub epoch: u64,
    /// Last issued generation.
    pub generation: u64,
    /// Whether the last issued generation was seen in use.
    pub confirmed: bool,
    /// The last generations, oldest first.
    pub generations: Vec<Generation>,
    /// Generations in which something suspicious was seen, oldest first.
    pub events: Vec<u64>,
    /// When the grant was made.
    pub created_at: Timestamp,
    /// Fields of a later release, passed through.
    pub unknown: Unknown,
}

/// What a refresh token is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// A DPoP key, by its RFC 7638 thumbprint (RFC 9449).
    Dpop([u8; 32]),
    /// A Device Bound Session Credentials key, by its thumbprint.
    Dbsc([u8; 32]),
    /// The device cookie set at login, by its SHA-256.
    DeviceCookie([u8; 32]),
}

/// What is remembered of one generation of refresh tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Generation {
    /// Its number.
    pub number: u64,
    /// When its first token was issued.
    pub issued_at: Timestamp,
    /// When its successor was seen in use.
    pub retired_at: Option<Timestamp>,
    /// Distinct tags that were presented, at most [`TAGS_KEPT`].
    pub presented: Vec<[u8; 8]>,
    /// Distinct tags beyond those, only counted.
    pub overflow: u64,
    /// Fields of a later release, passed through.
    pub unknown: Unknown,
}

/// A session that opens nothing until its subject proves himself again; its data is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// When it was frozen.
    pub at: Timestamp,
    /// Why, as a short word for the audit log and the person.
    pub reason: Box<str>,
    /// Fields of a later release, passed through.
    pub unknown: Unknown,
}
