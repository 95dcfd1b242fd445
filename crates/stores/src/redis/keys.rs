//! The names of keys, and the slots they lie in.
//!
//! Sessions are divided into buckets by the first bits of their ids, in their order. What must change together shares a
//! hash tag, so that it lies in one slot of a Cluster and one script can change it:
//!
//! - `{s:BUCKET}`: the records, the queue of their deadlines, and copies of the not-befores of everything and of each
//!   application;
//! - `{u:SUBJECT}`: his index, and his not-befores;
//! - `{k:KIND}`: the registry's entries of one kind;
//! - `{g:KEY}`: what the replay guard saw; `{e}`: the revocation clock.

use cloakroom_core::record::Record;
use cloakroom_core::store::Kind;
#[cfg(feature = "near_cache")]
use cloakroom_core::store::Scope;
use cloakroom_core::{App, SessionId, Subject};

/// Slots of a Cluster.
pub(super) const SLOTS: u16 = 16384;

/// A key or several that share a slot.
pub(super) type Key = Vec<u8>;

/// Whose a session is; decides which not-befores cover it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Owner {
    pub(super) app: Option<App>,
    pub(super) subject: Option<Subject>,
}

impl Owner {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            app: record.security.app.clone(),
            subject: record.security.subject.clone(),
        }
    }

    pub(super) fn is_of(&self, record: &Record) -> bool {
        self.app == record.security.app && self.subject == record.security.subject
    }

    /// As it stands in a row: names have no control characters, so nothing else reads the same.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some(subject) = &self.subject {
            bytes.extend_from_slice(self.app.as_ref().map_or("", App::as_str).as_bytes());
            bytes.push(0x1f);
            bytes.extend_from_slice(subject.as_str().as_bytes());
        }
        bytes
    }
}

/// Makes keys.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: Box<str>,
    buckets: u16,
    /// The slot of each bucket.
    slots: Box<[u16]>,
}

impl Keys {
    pub(super) fn new(prefix: &str, buckets: u16) -> Self {
        let slots = (0..buckets)
            .map(|bucket| slot_of(bucket_tag(bucket).as_bytes()))
            .collect();
        Self {
            prefix: prefix.into(),
            buckets,
            slots,
        }
    }

    pub(super) fn buckets(&self) -> u16 {
        self.buckets
    }

    /// The bucket of a session; ascends with the id.
    pub(super) fn bucket(&self, id: SessionId) -> u16 {
        let [first, second, ..] = *id.as_bytes();
        let place = u32::from(u16::from_be_bytes([first, second]));
        let bucket = (place * u32::from(self.buckets)) >> 16;
        u16::try_from(bucket).unwrap_or(0)
    }

    pub(super) fn bucket_slot(&self, bucket: u16) -> u16 {
        self.slots.get(usize::from(bucket)).copied().unwrap_or(0)
    }

    fn key(&self, tag: &str, rest: &str) -> Key {
        let mut key = Vec::with_capacity(self.prefix.len() + tag.len() + rest.len() + 2);
        key.extend_from_slice(self.prefix.as_bytes());
        key.push(b'{');
        key.extend_from_slice(tag.as_bytes());
        key.push(b'}');
        key.extend_from_slice(rest.as_bytes());
        key
    }

    pub(super) fn record(&self, id: SessionId) -> Key {
        self.key(&bucket_tag(self.bucket(id)), &format!(":r:{id}"))
    }

    /// The queue of deadlines.
    pub(super) fn due(&self, bucket: u16) -> Key {
        self.key(&bucket_tag(bucket), ":due")
    }

    /// The not-befores of everything and of an application, as kept in one bucket.
    pub(super) fn bucket_not_befores(&self, bucket: u16, app: Option<&App>) -> Vec<Key> {
        let tag = bucket_tag(bucket);
        let mut keys = vec![self.key(&tag, ":nb")];
        keys.extend(app.map(|app| self.key(&tag, &format!(":nb:{app}"))));
        keys
    }

    /// The not-befores of a subject, and of him in an application.
    pub(super) fn subject_not_befores(&self, owner: &Owner) -> Vec<Key> {
        let Some(subject) = &owner.subject else {
            return Vec::new();
        };
        let tag = subject_tag(subject);
        let mut keys = vec![self.key(&tag, ":nb")];
        keys.extend(
            owner
                .app
                .as_ref()
                .map(|app| self.key(&tag, &format!(":nb:{app}"))),
        );
        keys
    }

    pub(super) fn index(&self, subject: &Subject) -> Key {
        self.key(&subject_tag(subject), ":ix")
    }

    pub(super) fn subject_slot(&self, subject: &Subject) -> u16 {
        slot_of(tag_content(&subject_tag(subject)))
    }

    pub(super) fn epoch(&self) -> (Key, u16) {
        (self.key("e", ":epoch"), slot_of(b"e"))
    }

    /// What all nodes must agree on.
    pub(super) fn layout(&self) -> (Key, u16) {
        (self.key("e", ":layout"), slot_of(b"e"))
    }

    /// Values by name, names in order, names by expiry, and the revision of one kind.
    pub(super) fn registry(&self, kind: Kind) -> ([Key; 4], u16) {
        let tag = format!("k:{}", kind.as_str());
        let keys = [":v", ":n", ":x", ":rev"].map(|rest| self.key(&tag, rest));
        (keys, slot_of(tag.as_bytes()))
    }

    pub(super) fn seen(&self, key: &[u8]) -> (Key, u16) {
        let mut tag = String::from("g:");
        for byte in key {
            tag.push_str(&format!("{byte:02x}"));
        }
        (self.key(&tag, ""), slot_of(tag.as_bytes()))
    }
}

/// What a key says about sessions.
#[cfg(feature = "near_cache")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum About {
    /// It is the record of this one.
    Session(SessionId),
    /// It is the not-before of these.
    Denied(Scope),
    /// Nothing.
    Nothing,
    /// It reads in two ways.
    Unclear,
}

#[cfg(feature = "near_cache")]
impl Keys {
    /// What keys begin with of which [`Keys::about`] has something to say.
    pub(super) fn prefixes(&self) -> [Key; 2] {
        ["s:", "u:"].map(|tag| format!("{}{{{tag}", self.prefix).into_bytes())
    }

    pub(super) fn about(&self, key: &[u8]) -> About {
        let key = std::str::from_utf8(key).ok();
        let Some(key) = key.and_then(|key| key.strip_prefix(&*self.prefix)) else {
            return About::Nothing;
        };
        if let Some(key) = key.strip_prefix("{s:") {
            return match key.split_once('}') {
                Some((_, ":nb")) => About::Denied(Scope::Everything),
                Some((_, rest)) => match (rest.strip_prefix(":r:"), rest.strip_prefix(":nb:")) {
                    (Some(id), _) => id.parse().map_or(About::Unclear, About::Session),
                    (_, Some(app)) => {
                        App::new(app).map_or(About::Unclear, |app| About::Denied(Scope::App(app)))
                    }
                    _ => About::Nothing,
                },
                None => About::Nothing,
            };
        }
        let Some(key) = key.strip_prefix("{u:") else {
            return About::Nothing;
        };
        // A name may have a brace in it.
        match key.matches("}:nb").count() {
            0 => About::Nothing,
            1 => key
                .split_once("}:nb")
                .and_then(|(subject, app)| scope(subject, app))
                .map_or(About::Unclear, About::Denied),
            _ => About::Unclear,
        }
    }
}

#[cfg(feature = "near_cache")]
fn scope(subject: &str, app: &str) -> Option<Scope> {
    let app = match app.strip_prefix(':') {
        Some(app) => Some(App::new(app).ok()?),
        None if app.is_empty() => None,
        None => return None,
    };
    let subject = Subject::new(subject).ok()?;
    Some(Scope::Subject { app, subject })
}

fn bucket_tag(bucket: u16) -> String {
    format!("s:{bucket:04x}")
}

fn subject_tag(subject: &Subject) -> String {
    format!("u:{subject}")
}

/// What the server takes for the tag: up to the first closing brace, which a name may have.
fn tag_content(tag: &str) -> &[u8] {
    tag.split('}').next().unwrap_or_default().as_bytes()
}

/// The slot of a hash tag: CRC-16/XMODEM, as the Cluster specification says.
fn slot_of(tag: &[u8]) -> u16 {
    crc16::State::<crc16::XMODEM>::calculate(tag) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(slot_of(b"123456789"), 0x31c3 % SLOTS);
        assert_eq!(slot_of(b"foo"), 12182);
        assert_eq!(slot_of(tag_content("u:a}b")), slot_of(b"u:a"));
    }

    #[test]
    fn buckets_ascend_with_ids() {
        let keys = Keys::new("", 1000);
        let of = |first: u8, second: u8| {
            let mut bytes = [0xff; 16];
            (bytes[0], bytes[1]) = (first, second);
            keys.bucket(SessionId::from_bytes(bytes))
        };
        assert_eq!(of(0, 0), 0);
        assert_eq!(of(0xff, 0xff), 999);
        let all: Vec<u16> = (0..=255).map(|first| of(first, 7)).collect();
        assert!(all.is_sorted());
    }

    #[cfg(feature = "near_cache")]
    #[test]
    fn keys_say_what_they_are_about() {
        let keys = Keys::new("x:", 16);
        let id = SessionId::from_bytes([7; 16]);
        let app = App::new("shop").unwrap();
        assert_eq!(keys.about(&keys.record(id)), About::Session(id));
        for key in [
            keys.due(3),
            keys.epoch().0,
            keys.registry(Kind::User).0[0].clone(),
        ] {
            assert_eq!(keys.about(&key), About::Nothing);
        }
        let told = keys.bucket_not_befores(3, Some(&app));
        let scopes = [Scope::Everything, Scope::App(app.clone())];
        for (key, scope) in told.iter().zip(scopes) {
            assert_eq!(keys.about(key), About::Denied(scope));
        }
        for name in ["ann", "a}b", "a:nb:c", "{u:ann}"] {
            let subject = Subject::new(name).unwrap();
            let owner = Owner {
                app: Some(app.clone()),
                subject: Some(subject.clone()),
            };
            assert_eq!(keys.about(&keys.index(&subject)), About::Nothing);
            let apps = [None, Some(app.clone())];
            for (key, app) in keys.subject_not_befores(&owner).iter().zip(apps) {
                let subject = subject.clone();
                let scope = Scope::Subject { app, subject };
                assert_eq!(keys.about(key), About::Denied(scope), "{name}");
            }
        }
        let odd = Owner {
            app: None,
            subject: Some(Subject::new("a}:nb:b").unwrap()),
        };
        assert_eq!(
            keys.about(&keys.subject_not_befores(&odd)[0]),
            About::Unclear
        );
        for strange in [&b"x:{s:"[..], b"x:{u:", b"y:", b"\xff", b"x:{s:0}:r:zz"] {
            let _ = keys.about(strange);
        }
    }

    #[test]
    fn owners_read_differently() {
        let owner = |app: Option<&str>, subject: &str| Owner {
            app: app.map(|app| App::new(app).unwrap()),
            subject: Some(Subject::new(subject).unwrap()),
        };
        assert_ne!(owner(Some("a"), "b").bytes(), owner(None, "ab").bytes());
        assert!(Owner::default().bytes().is_empty());
    }
}
