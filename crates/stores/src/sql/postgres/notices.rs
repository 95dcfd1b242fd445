//! What other nodes did, told by the database: sessions that ended or got another secret, revocations, settings.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::store::{Kind, Scope};
use cloakroom_core::{App, SessionId, Subject};
use tokio::sync::{broadcast, mpsc, watch};

use super::lane::somewhere_in;
use super::link::{Link, Purpose};
use super::options::Options;
use super::recent::Recent;

/// A channel that is silent for longer is asked whether it lives.
const HEARTBEAT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(500);
/// Notices that a slow hearer may be behind.
const BEHIND: usize = 4096;

/// Something that a cache of sessions has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The session ended, or has a new security block.
    Session(SessionId),
    /// Sessions of the scope were revoked.
    Scope(Scope),
    /// Notices may have been missed: whatever is cached may be out of date.
    Lapse,
}

/// Where notices arrive.
pub(super) struct Notices {
    sessions: broadcast::Sender<Notice>,
    kinds: [watch::Sender<u64>; KINDS.len()],
    recent: Arc<Recent>,
}

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

/// Whether writes of this kind are told. A notice makes commits wait for each other, and nobody watches these three,
/// which are written all the time; a watcher of theirs asks from time to time.
pub(super) fn is_told(kind: Kind) -> bool {
    !matches!(kind, Kind::Code | Kind::Idempotency | Kind::Clock)
}

impl Notices {
    pub(super) fn new(recent: Arc<Recent>) -> Self {
        Self {
            sessions: broadcast::Sender::new(BEHIND),
            kinds: std::array::from_fn(|_| watch::Sender::new(0)),
            recent,
        }
    }

    pub(super) fn sessions(&self) -> broadcast::Receiver<Notice> {
        self.sessions.subscribe()
    }

    /// Changes with every write of `kind` that is told.
    pub(super) fn kind(&self, kind: Kind) -> watch::Receiver<u64> {
        self.kinds[kind as usize].subscribe()
    }

    fn lapse(&self) {
        self.recent.revoked();
        let _ = self.sessions.send(Notice::Lapse);
        for kind in &self.kinds {
            kind.send_modify(|count| *count += 1);
        }
    }

    fn hear(&self, payload: &str) {
        let Some((word, rest)) = payload.split_once(' ') else {
            return;
        };
        match word {
            "kind" => {
                if let Some(kind) = KINDS.into_iter().find(|kind| kind.as_str() == rest) {
                    self.kinds[kind as usize].send_modify(|count| *count += 1);
                }
            }
            "session" => {
                if let Some(id) = id(rest) {
                    self.recent.forget(id);
                    let _ = self.sessions.send(Notice::Session(id));
                }
            }
            "scope" => {
                if let Some(scope) = scope(rest) {
                    self.recent.revoked();
                    let _ = self.sessions.send(Notice::Scope(scope));
                }
            }
            // Of a later release.
            _ => {}
        }
    }
}

fn id(hex: &str) -> Option<SessionId> {
    let mut bytes = [0; 16];
    if hex.len() != 32 || !hex.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(SessionId::from_bytes(bytes))
}

fn scope(text: &str) -> Option<Scope> {
    let (subject, app) = text.split_once('\n')?;
    let app = match app {
        "" => None,
        app => Some(App::new(app).ok()?),
    };
    Some(match (subject, app) {
        ("", None) => Scope::Everything,
        ("", Some(app)) => Scope::App(app),
        (subject, app) => Scope::Subject {
            app,
            subject: Subject::new(subject).ok()?,
        },
    })
}

/// Listens, for as long as the store lives.
pub(super) async fn listen(options: Options, notices: Arc<Notices>) {
    loop {
        let (hearer, mut heard) = mpsc::unbounded_channel();
        match Link::connect(&options, Purpose::Notices, Some(hearer)).await {
            Ok((link, mut carrier)) => {
                tokio::select! {
                    () = &mut carrier => {}
                    () = follow(&link, &options, &notices, &mut heard) => {}
                }
            }
            Err(error) => tracing::debug!(%error, "no connection to listen on"),
        }
        notices.lapse();
        tokio::time::sleep(somewhere_in(PAUSE)).await;
    }
}

async fn follow(
    link: &Link,
    options: &Options,
    notices: &Notices,
    heard: &mut mpsc::UnboundedReceiver<String>,
) {
    let listen = format!("LISTEN \"{}\"", options.channel());
    if link.client.batch_execute(&listen).await.is_err() {
        return;
    }
    // What came before is not told.
    notices.lapse();
    loop {
        match tokio::time::timeout(HEARTBEAT, heard.recv()).await {
            Ok(Some(payload)) => notices.hear(&payload),
            Ok(None) => return,
            Err(_) if link.answers(HEARTBEAT).await => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_read() {
        let notices = Notices::new(Arc::new(Recent::new()));
        let (mut sessions, kind) = (notices.sessions(), notices.kind(Kind::Ring));
        for payload in [
            "session 000102030405060708090a0b0c0d0e0f",
            "session é",
            "scope ann\nshop",
            "scope \n",
            "kind ring",
            "later words",
            "",
        ] {
            notices.hear(payload);
        }
        let id = SessionId::from_bytes(std::array::from_fn(|at| u8::try_from(at).unwrap()));
        assert_eq!(sessions.try_recv().unwrap(), Notice::Session(id));
        let scope = Scope::Subject {
            app: Some(App::new("shop").unwrap()),
            subject: Subject::new("ann").unwrap(),
        };
        assert_eq!(sessions.try_recv().unwrap(), Notice::Scope(scope));
        assert_eq!(
            sessions.try_recv().unwrap(),
            Notice::Scope(Scope::Everything)
        );
        assert!(sessions.try_recv().is_err());
        assert!(kind.has_changed().unwrap());
    }
}
