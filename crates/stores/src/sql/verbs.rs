//! What each verb does inside a transaction: the same for every database that has them.
//!
//! A store implements [`Tx`](tx::Tx), which only reads and writes rows, and runs a verb in one transaction that is
//! kept where the verb answers and rolled back where it fails. Rules are not decided here: they are core's.
//!
//! Locks are taken in one order, so that transactions cannot wait for each other in a ring: the row of a subject,
//! then sessions by ascending id, then counters, then not-befores and everything else.

pub(super) mod keys;
pub(super) mod registry;
pub(super) mod revisions;
pub(super) mod revoke;
pub(super) mod seal;
pub(super) mod sessions;
pub(super) mod stored;
pub(super) mod sweep;
pub(super) mod touches;
pub(super) mod tx;
