//! The two revocation clocks: the new store's must not be behind.

use cloakroom_core::record::Epoch;
use cloakroom_core::store::{DynStore, Scope};
use cloakroom_core::{App, Subject, Timestamp};
use tokio::task::JoinSet;

use super::MigrateError;

/// Revocations at a time.
const AT_ONCE: u64 = 32;

/// Raises the new store's clock to the old one's, by revoking the sessions of nobody. A session is admitted by the old
/// clock; where the new one is behind, it would outlive the next revocations.
pub(super) async fn raise(
    from: &DynStore,
    to: &DynStore,
    now: Timestamp,
) -> Result<(), MigrateError> {
    let goal = from.epoch().await.map_err(MigrateError::From)?;
    loop {
        let reached = to.epoch().await.map_err(MigrateError::To)?;
        if reached >= goal {
            return Ok(());
        }
        let mut raising = JoinSet::new();
        for _ in 0..count(goal).saturating_sub(count(reached)).clamp(1, AT_ONCE) {
            let (to, nobody) = (to.clone(), nobody().ok_or(MigrateError::CutOff)?);
            raising.spawn(async move { to.revoke_all(nobody, None, now).await });
        }
        while let Some(raised) = raising.join_next().await {
            raised
                .map_err(|_| MigrateError::CutOff)?
                .map_err(MigrateError::To)?;
        }
    }
}

/// Above the bits that name the node.
const fn count(epoch: Epoch) -> u64 {
    epoch.0 >> 16
}

/// `None` never: both names are within the limits of their types.
fn nobody() -> Option<Scope> {
    let app = App::new("cloakroom-migration").ok()?;
    let subject = Subject::new("nobody").ok()?;
    Some(Scope::Subject {
        app: Some(app),
        subject,
    })
}
