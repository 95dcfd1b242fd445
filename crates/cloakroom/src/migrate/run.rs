//! The whole copy: pass after pass, until one finds nothing left to do.

use std::sync::Arc;

use cloakroom_core::StoreError;

use super::journal::Journal;
use super::{Side, epochs, registry, sessions};
use crate::connect::Opened;
use crate::service::Clock;

/// Passes at most. Each brings what changed during the one before; where people go on using the old store, something always
/// does.
const PASSES: u32 = 4;

/// Why a migration stopped. What was copied until then stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// A store that goes with its process has nothing to give to, or take from, another one.
    #[error("{which} keeps sessions {is}: nothing can be copied")]
    Unkept {
        /// `--from` or `--to`, as people call it.
        which: &'static str,
        /// Where its sessions are.
        is: String,
    },
    /// Both are one store.
    #[error("both are the same store")]
    Same,
    /// The old store failed.
    #[error("the store to copy from")]
    From(#[source] StoreError),
    /// The new store failed.
    #[error("the store to copy to")]
    To(#[source] StoreError),
    /// The notes in the new store cannot be read.
    #[error("the notes of an earlier run, in the registry of the store to copy to, are damaged")]
    Notes,
    /// Part of the work died.
    #[error("a part of the work was cut off")]
    CutOff,
}

/// What is done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The first pass.
    Copy,
    /// A later one, which also verifies.
    Verify,
}

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// What is done now.
    pub stage: Stage,
    /// Sessions looked at in this pass.
    pub done: u64,
    /// How many there will be, as far as can be told: ids are random, so the last one says how far along it stands.
    pub expected: u64,
}

/// What was done.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Sessions.
    pub sessions: sessions::Counts,
    /// People, keys and settings that were written or removed in the new store.
    pub entries: u64,
    /// How often all sessions were looked at.
    pub passes: u32,
    /// Sessions that changed between the last two passes. Not zero where the old store is in use; run again once the new one
    /// is.
    pub changing: u64,
    /// Whether a whole pass found in the new store what an earlier one had brought, as it was brought or newer.
    pub verified: bool,
}

/// Copies all live sessions and everything in the registry.
///
/// Safe to run again, and while either store is in use: see the module. It may be dropped at any time.
///
/// # Errors
/// [`MigrateError`].
pub async fn copy(
    from: &Opened,
    to: &Opened,
    clock: &Arc<dyn Clock>,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Report, MigrateError> {
    let (from, to) = (side("the old store", from)?, side("the new store", to)?);
    let source = registry::store_id(&from.registry)
        .await
        .map_err(MigrateError::From)?;
    if source
        == registry::store_id(&to.registry)
            .await
            .map_err(MigrateError::To)?
    {
        return Err(MigrateError::Same);
    }
    let mut journal = Journal::read(&to.registry, &source, clock.now()).await?;
    let mut report = Report {
        entries: registry::copy(&from, &to, &source, clock.now()).await?,
        ..Report::default()
    };
    report.changing = u64::MAX;
    while report.passes < PASSES && report.changing > 0 {
        report.passes += 1;
        epochs::raise(&from.store, &to.store, clock.now()).await?;
        let stage = if report.passes == 1 {
            Stage::Copy
        } else {
            Stage::Verify
        };
        let pass = sessions::Pass::new(&from, &to, &mut journal, clock, stage);
        let counts = pass.run(progress).await?;
        report.changing = counts.changes();
        report.verified = counts.differ == 0 && (report.passes > 1 || report.changing == 0);
        report.sessions.add(counts);
    }
    to.store.flush().await.map_err(MigrateError::To)?;
    Ok(report)
}

fn side(which: &'static str, opened: &Opened) -> Result<Side, MigrateError> {
    match &opened.registry {
        Some(registry) if opened.is_durable() => Ok(Side {
            store: opened.store.clone(),
            registry: registry.clone(),
        }),
        _ => Err(MigrateError::Unkept {
            which,
            is: opened.is.clone(),
        }),
    }
}
