//! Clearing what is past its deadline, by the queues of deadlines; no key is searched for.

use std::sync::atomic::Ordering;

use ::redis::Value;
use cloakroom_core::store::{Kind, StoreError, Swept, SweptSession};
use cloakroom_core::{SessionId, Timestamp};
use futures_util::future::{join_all, try_join_all};

use super::error::damaged;
use super::inner::Inner;
use super::route::Care;
use super::row::Row;
use super::script::{CLEAR, EXPIRE};

/// Buckets that are asked together.
const AT_ONCE: usize = 128;
/// Sessions that one sweep clears at most.
const MOST: usize = 1024;

const KINDS: [Kind; 8] = [
    Kind::User,
    Kind::ApiKey,
    Kind::Client,
    Kind::Ring,
    Kind::Code,
    Kind::Idempotency,
    Kind::Clock,
    Kind::Setting,
];

impl Inner {
    pub(super) async fn sweep(&self, limit: usize) -> Result<Swept, StoreError> {
        let limit = limit.clamp(1, MOST);
        let mut swept = Swept::default();
        let buckets = u64::from(self.keys.buckets());
        let from = self.sweep_from.load(Ordering::Relaxed);
        let order: Vec<u16> = (0..buckets)
            .filter_map(|step| u16::try_from((from + step) % buckets).ok())
            .collect();
        for some in order.chunks(AT_ONCE) {
            let left = limit - swept.removed.len();
            let asking = some.iter().map(|bucket| async move {
                let now = self.now_at(self.keys.bucket_slot(*bucket))?;
                self.due_ids(*bucket, now, left).await
            });
            let mut due = try_join_all(asking).await?.concat();
            if due.len() >= left {
                swept.more = true;
                due.truncate(left);
            }
            self.clear_sessions(due, &mut swept).await?;
            if swept.removed.len() == limit {
                swept.more = true;
                let next = some.first().copied().map_or(0, u64::from);
                self.sweep_from.store(next, Ordering::Relaxed);
                return Ok(swept);
            }
        }
        swept.more |= self.clear_entries(limit).await?;
        Ok(swept)
    }

    async fn clear_sessions(
        &self,
        due: Vec<(SessionId, Timestamp)>,
        swept: &mut Swept,
    ) -> Result<(), StoreError> {
        let clearing = due
            .into_iter()
            .map(|(id, deadline)| self.expire(id, deadline));
        for gone in try_join_all(clearing).await? {
            swept.removed.extend(gone);
        }
        Ok(())
    }

    async fn expire(
        &self,
        id: SessionId,
        queued: Timestamp,
    ) -> Result<Option<SweptSession>, StoreError> {
        let keys = [self.keys.record(id), self.keys.due(self.keys.bucket(id))];
        let answer = self
            .script(self.slot(id), &EXPIRE, &keys, Care::Repeat, |cmd| {
                cmd.arg(id.as_bytes());
            })
            .await?;
        self.recent.forget(id);
        let row = match answer {
            Value::Int(1) => return Ok(None),
            // The server gave its memory back long after its deadline; whose it was is not known any more.
            Value::Int(2) => {
                return Ok(Some(SweptSession {
                    id,
                    subject: None,
                    deadline: queued,
                }));
            }
            Value::Int(3) => {
                tracing::error!(%id, "passed over a session record that cannot be read");
                return Ok(None);
            }
            Value::BulkString(row) => row,
            _ => return Err(damaged("clearing a session")),
        };
        let record = match Row::open(id, row, None) {
            Ok(row) => row.record,
            Err(error) => {
                tracing::error!(%id, %error, "cleared a session record that cannot be read");
                return Ok(None);
            }
        };
        let subject = record.security.subject.clone();
        if let Some(subject) = &subject {
            let version = record.security.version.to_string();
            self.forget(subject, &[id], "v", version.as_bytes()).await;
        }
        Ok(Some(SweptSession {
            id,
            subject,
            deadline: record.deadline(),
        }))
    }

    /// Clears registry entries past their time. Where that fails they are absent all the same.
    async fn clear_entries(&self, limit: usize) -> Result<bool, StoreError> {
        let clearing = KINDS.map(|kind| async move {
            let (keys, slot) = self.keys.registry(kind);
            self.script(slot, &CLEAR, &keys[..3], Care::Repeat, |cmd| {
                cmd.arg(limit);
            })
            .await
        });
        let full = |answer: &Result<Value, StoreError>| matches!(answer, Ok(Value::Int(count)) if usize::try_from(*count).is_ok_and(|count| count >= limit));
        Ok(join_all(clearing).await.iter().any(full))
    }
}
