//! `sweep`: looks at what the queue says is due, ends what is over, and puts the rest back.

use cloakroom_core::store::{StoreError, Swept, SweptSession};
use cloakroom_core::{SessionId, Timestamp};

use super::Files;
use super::error::During as _;
use super::io::absent;
use super::object::{Look, nonce};
use super::paths::{
    QUEUE, WORK, Waits, queue_folder, queue_part, queued_session, read_queued, session,
};
use super::sessions::{deadline, decode, ended, queued};

/// Entries that one sweep looks at, so that it never holds up requests for long.
const AT_ONCE: usize = 1024;
/// What is being made is not touched for so long, in seconds of the file server.
const MAKING: i64 = 15 * 60;

impl Files {
    pub(super) fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        const WHAT: &str = "reading the sweep queue";
        self.clock()?;
        let mut swept = Swept::default();
        let mut seen = 0;
        let mut parts = self.io.names(QUEUE).during(WHAT)?;
        parts.sort_unstable();
        for part in parts {
            let Ok(part) = u64::from_str_radix(&part, 16) else {
                continue;
            };
            if part > queue_part(now) {
                break;
            }
            let folder = queue_folder(part);
            let mut names = match self.io.names(&folder) {
                Err(error) if absent(&error) => continue,
                names => names.during(WHAT)?,
            };
            if names.is_empty() && part < queue_part(now) {
                // Fails where something has come in between.
                drop(self.io.rmdir(&folder));
            }
            names.sort_unstable();
            for name in names {
                let Some((due, waits)) = read_queued(&name) else {
                    continue;
                };
                if due > now {
                    break;
                }
                if seen == AT_ONCE || swept.removed.len() == limit {
                    swept.more = true;
                    return Ok(swept);
                }
                seen += 1;
                self.visit(&format!("{folder}/{name}"), due, waits, now, &mut swept)?;
            }
        }
        self.clear_work();
        Ok(swept)
    }

    fn visit(
        &self,
        entry: &str,
        due: Timestamp,
        waits: Waits,
        now: Timestamp,
        swept: &mut Swept,
    ) -> Result<(), StoreError> {
        let done = match waits {
            Waits::Session(id) => self.visit_session(id, due, now, swept),
            Waits::Object => self.visit_object(entry, now),
        };
        match done {
            Err(error) if error.kind() == cloakroom_core::store::ErrorKind::Corrupt => {
                // It stays for whoever wants to look at it; no sweep comes by again.
                tracing::error!(entry, %error, "passed over what cannot be read");
            }
            done => done?,
        }
        self.io.tidy(entry);
        Ok(())
    }

    fn visit_session(
        &self,
        id: SessionId,
        due: Timestamp,
        now: Timestamp,
        swept: &mut Swept,
    ) -> Result<(), StoreError> {
        let path = session(id);
        loop {
            let Look::There { marker, .. } = self.io.look_or_clear(&path)? else {
                return Ok(());
            };
            if marker.ended {
                self.clean_up(id)?;
                return Ok(());
            }
            if queued(&marker) != due {
                // It has another place in the queue.
                return Ok(());
            }
            let over = deadline(&marker);
            if over > now {
                let mut to = marker;
                to.fields[3] = over.as_millis();
                self.queue_session(over, id)?;
                if self.io.shift(&path, &marker, &to)? {
                    return Ok(());
                }
                self.io.tidy(&queued_session(over, id));
                continue;
            }
            // Whoever touched it since has moved the marker, so this fails.
            let to = ended(&marker);
            if !self.io.shift(&path, &marker, &to)? {
                continue;
            }
            // A damaged session ends at its time all the same: its deadline stands in its marker.
            let content = self.io.content(&path, marker.nonce).ok().flatten();
            let record = content.and_then(|content| decode(id, &marker, &content).ok());
            let subject = record.and_then(|record| record.security.subject);
            swept.removed.push(SweptSession {
                id,
                subject,
                deadline: over,
            });
            return self.clean_up(id);
        }
    }

    /// Removes what is left of a session that has ended.
    fn clean_up(&self, id: SessionId) -> Result<(), StoreError> {
        let path = session(id);
        if let Look::There { marker, .. } = self.io.look(&path)?
            && marker.ended
            && let Ok(Some(content)) = self.io.content(&path, marker.nonce)
            && let Ok(record) = decode(id, &marker, &content)
        {
            self.remove_from_index(&record);
        }
        self.io.remove_for_good(&path);
        Ok(())
    }

    /// A gate, a not-before, a replay key or a registry entry.
    fn visit_object(&self, entry: &str, now: Timestamp) -> Result<(), StoreError> {
        let path = match self.io.read(entry) {
            Ok(path) => path,
            Err(error) if absent(&error) => return Ok(()),
            Err(error) => return Err(error).during("reading the sweep queue"),
        };
        let Some(path) = std::str::from_utf8(&path)
            .ok()
            .filter(|path| may_clear(path))
        else {
            return Ok(());
        };
        loop {
            let Look::There { marker, .. } = self.io.look_or_clear(path)? else {
                return Ok(());
            };
            if !marker.ended {
                // The first field of each is until when it counts.
                if now.as_millis() < marker.fields[0] {
                    return Ok(());
                }
                if path.starts_with("g/") {
                    self.finish_gate_at(path)?;
                }
                if path.starts_with("r/") {
                    self.raise_floor(marker.version)?;
                }
                if !self.io.shift(path, &marker, &ended(&marker))? {
                    continue;
                }
            }
            self.io.remove(path);
            return Ok(());
        }
    }

    /// Takes apart what a crash left half made. By the file server's clock, which made the times.
    fn clear_work(&self) {
        let names = self.io.names(WORK).unwrap_or_default();
        if names.is_empty() {
            return;
        }
        let probe = format!("{WORK}/{:016x}", nonce());
        if self.io.create(&probe).is_err() {
            return;
        }
        let server_now = self.io.modified(&probe).unwrap_or(0);
        self.io.tidy(&probe);
        for name in names.iter().take(AT_ONCE) {
            let path = format!("{WORK}/{name}");
            let old = self
                .io
                .modified(&path)
                .is_ok_and(|at| at < server_now - MAKING);
            if old {
                self.io.discard(&path);
                drop(self.io.unlink(&path));
            }
        }
    }
}

/// Whether a path from the queue is one of ours: it came from a file.
fn may_clear(path: &str) -> bool {
    let ours = ["g/", "n/", "p/", "r/"]
        .iter()
        .any(|front| path.starts_with(front));
    ours && !path
        .split('/')
        .any(|part| part.is_empty() || part.starts_with('.'))
}
