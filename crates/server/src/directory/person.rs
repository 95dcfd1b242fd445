//! A person of the directory, and how an entry is kept.

use super::{Error, devices::KnownDevice};
use bytes::Bytes;
use cloakroom::{Subject, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The version of the stored form that this release writes.
const VERSION: u32 = 1;

/// Roles that a person may have at most.
const ROLES_MAX: usize = 64;

/// A person of the directory, without anything secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name, which is the subject of the person's sessions.
    pub name: Subject,
    /// What the person may do, for `[[access]]` rules.
    pub roles: Vec<String>,
    /// Whether the person is kept from logging in.
    pub disabled: bool,
    /// When the entry was made.
    pub created_at: Timestamp,
    /// When it was last changed; logins are no change.
    pub changed_at: Timestamp,
    /// When the password was last changed.
    pub password_changed_at: Timestamp,
    /// Counts passwords, from 1 on.
    pub password_epoch: u64,
}

/// What stands in the registry under the person's name, as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    v: u32,
    /// A PHC string (Argon2id).
    pub(super) hash: String,
    #[serde(default)]
    pub(super) roles: Vec<String>,
    #[serde(default)]
    pub(super) disabled: bool,
    created: i64,
    pub(super) changed: i64,
    pub(super) password_changed: i64,
    pub(super) password_epoch: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) devices: Vec<KnownDevice>,
    /// Fields of a later release, passed through.
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

impl Stored {
    pub(super) fn new(hash: String, roles: Vec<String>, now: Timestamp) -> Self {
        let now = now.as_millis();
        Self {
            v: VERSION,
            hash,
            roles,
            disabled: false,
            created: now,
            changed: now,
            password_changed: now,
            password_epoch: 1,
            devices: Vec::new(),
            unknown: Map::new(),
        }
    }

    pub(super) fn set_hash(&mut self, hash: String, now: Timestamp) {
        self.hash = hash;
        self.password_changed = now.as_millis();
        self.password_epoch += 1;
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let stored: Self = serde_json::from_slice(bytes).map_err(|_| Error::Damaged)?;
        if stored.v == VERSION {
            Ok(stored)
        } else {
            Err(Error::Damaged)
        }
    }

    pub(super) fn encode(&self) -> Result<Bytes, Error> {
        let bytes = serde_json::to_vec(self).map_err(|_| Error::Damaged)?;
        Ok(Bytes::from(bytes))
    }

    pub(super) fn person(&self, name: &str) -> Result<Person, Error> {
        Ok(Person {
            name: Subject::new(name).map_err(|_| Error::Damaged)?,
            roles: self.roles.clone(),
            disabled: self.disabled,
            created_at: Timestamp::from_millis(self.created),
            changed_at: Timestamp::from_millis(self.changed),
            password_changed_at: Timestamp::from_millis(self.password_changed),
            password_epoch: self.password_epoch,
        })
    }
}

/// Checks the name of a new person: a subject without white space at its ends, so that what is typed into a form is what
/// was meant, and not `.` or `..`, which no path can name.
pub(super) fn check_name(name: &str) -> Result<Subject, Error> {
    if name.trim() != name {
        return Err(Error::Name("a name has no white space at its ends".into()));
    }
    if matches!(name, "." | "..") {
        return Err(Error::Name("this name cannot stand in a path".into()));
    }
    // Of the characters that show nothing or turn the writing around, so that two names never look alike by them.
    let hidden = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    if name.contains(hidden) {
        return Err(Error::Name("the name has invisible characters".into()));
    }
    Subject::new(name).map_err(|why| Error::Name(why.to_string().replace("subject", "name")))
}

/// Checks roles, and sorts them.
pub(super) fn check_roles(mut roles: Vec<String>) -> Result<Vec<String>, Error> {
    for role in &roles {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/".contains(&byte);
        if role.is_empty() || role.len() > 64 || !role.bytes().all(fine) {
            let why = format!("`{role}` is no role: 1 to 64 letters, digits and - . _ : /");
            return Err(Error::Role(why));
        }
    }
    roles.sort();
    roles.dedup();
    if roles.len() > ROLES_MAX {
        return Err(Error::Role(format!("more than {ROLES_MAX} roles")));
    }
    Ok(roles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_subjects_that_can_be_typed_and_addressed() {
        for good in ["alice", "alice@example.com", "Jürgen Groß", "a/b", "..."] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            " alice",
            "alice ",
            ".",
            "..",
            "a\nb",
            "a\u{202e}b",
            &"x".repeat(256),
        ] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fields_of_a_later_release_pass_through_and_another_form_is_refused() {
        let mut stored = Stored::new(
            "$argon2id$".into(),
            vec!["admin".into()],
            Timestamp::from_secs(5),
        );
        let mut value: Value = serde_json::from_slice(&stored.encode().unwrap()).unwrap();
        value["later"] = 7.into();
        stored = Stored::decode(value.to_string().as_bytes()).unwrap();
        let again: Value = serde_json::from_slice(&stored.encode().unwrap()).unwrap();
        assert_eq!(again, value);
        value["v"] = 2.into();
        assert!(Stored::decode(value.to_string().as_bytes()).is_err());
        assert!(Stored::decode(b"{}").is_err());
    }
}
