//! The limit of sessions per subject, counted over both places. The caller holds the subject's lock.

use std::sync::Arc;

use cloakroom_core::policy::OnFull;
use cloakroom_core::record::Security;
use cloakroom_core::store::{Scope, StoreError, SubjectIndex as _};
use cloakroom_core::{Record, SessionId, SubjectLimit, Timestamp};

use super::Inner;

/// Sessions that are listed at once.
const PAGE: usize = 256;

/// What a limit says to one more session.
pub(super) enum Admission {
    /// It may begin, and these end for it.
    Yes(Vec<SessionId>),
    /// It may not.
    No,
}

impl Inner {
    pub(super) async fn admit(
        &self,
        id: SessionId,
        security: &Security,
        limit: SubjectLimit,
        now: Timestamp,
    ) -> Result<Admission, StoreError> {
        let (Some(max), Some(subject)) = (limit.max, &security.subject) else {
            return Ok(Admission::Yes(Vec::new()));
        };
        let scope = Scope::Subject {
            app: security.app.clone(),
            subject: subject.clone(),
        };
        let mut others = self.listed(&scope, now).await?;
        // A scope without an application means all of them.
        others.retain(|record| record.id != id && record.security.app == security.app);
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        if others.len() < max {
            return Ok(Admission::Yes(Vec::new()));
        }
        if limit.on_full == OnFull::Deny {
            return Ok(Admission::No);
        }
        let over = others.len() + 1 - max.max(1);
        others.sort_unstable_by_key(|record| (record.security.created_at, record.id));
        let ending = others[..over.min(others.len())].iter();
        Ok(Admission::Yes(ending.map(|record| record.id).collect()))
    }

    /// Live sessions of a subject in both places, each once.
    async fn listed(&self, scope: &Scope, now: Timestamp) -> Result<Vec<Arc<Record>>, StoreError> {
        // One that moved between the two looks would be missed.
        let _still = self.locks.still().await;
        let mut found: Vec<Arc<Record>> = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.disk.list(scope.clone(), cursor, PAGE, now).await?;
            found.extend(page.records);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        loop {
            let page = self.memory.list(scope.clone(), cursor, PAGE, now).await?;
            found.extend(page.records);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        found.sort_unstable_by_key(|record| record.id);
        found.dedup_by_key(|record| record.id);
        Ok(found)
    }
}
