//! The directory and its changes, as commands and the API make them.

use super::{
    Delays, Error, Person,
    hasher::Hasher,
    password,
    person::{Stored, check_name, check_roles},
};
use crate::config;
use cloakroom::core::store::{DynRegistry, Expected, Kind, Put, Scope};
use cloakroom::{SessionId, Sessions, Subject, Timestamp};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Tries of one change before [`Error::Contended`].
const TRIES: usize = 64;

/// The people who may log in. Cheap to clone.
///
/// A password that changes, a person who is disabled or removed: first the entry is written, then the person's sessions
/// end. A login that raced with it read the revocation clock before its proof, so it is refused.
#[derive(Clone, Debug)]
pub struct Directory(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) registry: DynRegistry,
    pub(super) sessions: Sessions,
    pub(super) hasher: Hasher,
    pub(super) delays: Mutex<Delays>,
    /// Where the first password of `admin` stands until the first login.
    pub(super) first_password: Option<PathBuf>,
}

/// A person to add.
#[derive(Debug, Default)]
pub struct NewPerson {
    /// The name.
    pub name: String,
    /// The password; one is made where there is none.
    pub password: Option<Zeroizing<String>>,
    /// What the person may do.
    pub roles: Vec<String>,
}

/// A person who was added.
#[derive(Debug)]
pub struct Added {
    /// The person.
    pub person: Person,
    /// The password, where it was made here; it is kept nowhere.
    pub password: Option<Zeroizing<String>>,
}

impl Directory {
    /// The directory in `registry`. `first_password` is the file for the first password of `admin`, where there is a
    /// data directory.
    #[must_use]
    pub fn new(
        registry: DynRegistry,
        sessions: Sessions,
        costs: &config::Argon2,
        first_password: Option<PathBuf>,
    ) -> Self {
        Self(Arc::new(Inner {
            registry,
            sessions,
            hasher: Hasher::new(costs),
            delays: Mutex::default(),
            first_password,
        }))
    }

    /// Adds a person.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Name`], [`Error::Password`], [`Error::Role`], [`Error::Busy`], [`Error::Registry`].
    pub async fn add(&self, new: NewPerson) -> Result<Added, Error> {
        let name = check_name(&new.name)?;
        let roles = check_roles(new.roles)?;
        let (password, made) = given_or_made(&name, new.password)?;
        if self.load(name.as_str()).await?.is_some() {
            return Err(Error::Exists);
        }
        let hash = self.0.hasher.hash(password).await?;
        let stored = Stored::new(hash, roles, self.shown_now());
        match self
            .put(name.as_str(), Expected::Absent, Some(&stored))
            .await?
        {
            Put::Done(_) => {}
            Put::Conflict(_) => return Err(Error::Exists),
        }
        tracing::info!(target: "audit", user = %name, "a user was added");
        Ok(Added {
            person: stored.person(name.as_str())?,
            password: made,
        })
    }

    /// The person of this name.
    ///
    /// # Errors
    /// [`Error::Registry`], [`Error::Damaged`].
    pub async fn get(&self, name: &str) -> Result<Option<Person>, Error> {
        let found = self.load(name).await?;
        found.map(|(stored, _)| stored.person(name)).transpose()
    }

    /// People with names after `after`, in order of their names.
    ///
    /// # Errors
    /// [`Error::Registry`], [`Error::Damaged`].
    pub async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<Person>, Error> {
        let now = self.0.sessions.now();
        let entries = self.0.registry.list(Kind::User, after, limit, now).await?;
        let person = |entry: &cloakroom::core::store::Entry| {
            Stored::decode(&entry.value)?.person(&entry.name)
        };
        entries.iter().map(person).collect()
    }

    /// Sets a new password and ends the person's sessions, except `except`. Gives back the password where it was made
    /// here.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Password`], [`Error::Busy`], [`Error::Registry`], [`Error::Sessions`].
    pub async fn set_password(
        &self,
        name: &str,
        password: Option<Zeroizing<String>>,
        except: Option<SessionId>,
    ) -> Result<Option<Zeroizing<String>>, Error> {
        let subject = Subject::new(name).map_err(|_| Error::Unknown)?;
        if self.load(name).await?.is_none() {
            return Err(Error::Unknown);
        }
        let (password, made) = given_or_made(&subject, password)?;
        let hash = self.0.hasher.hash(password).await?;
        let now = self.shown_now();
        self.change(name, |stored| stored.set_hash(hash.clone(), now))
            .await?;
        tracing::info!(target: "audit", user = %subject, "a password was changed");
        self.end_sessions(subject, except).await?;
        Ok(made)
    }

    /// Keeps the person from logging in and ends all sessions.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Registry`], [`Error::Sessions`].
    pub async fn disable(&self, name: &str) -> Result<Person, Error> {
        let stored = self.change(name, |stored| stored.disabled = true).await?;
        let person = stored.person(name)?;
        tracing::info!(target: "audit", user = %person.name, "a user was disabled");
        self.end_sessions(person.name.clone(), None).await?;
        Ok(person)
    }

    /// Lets the person log in again.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Registry`].
    pub async fn enable(&self, name: &str) -> Result<Person, Error> {
        let stored = self.change(name, |stored| stored.disabled = false).await?;
        let person = stored.person(name)?;
        tracing::info!(target: "audit", user = %person.name, "a user was enabled");
        Ok(person)
    }

    /// Removes the person and ends all sessions.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Registry`], [`Error::Sessions`].
    pub async fn remove(&self, name: &str) -> Result<(), Error> {
        let subject = Subject::new(name).map_err(|_| Error::Unknown)?;
        if self.load(name).await?.is_none() {
            return Err(Error::Unknown);
        }
        self.put(name, Expected::Anything, None).await?;
        tracing::info!(target: "audit", user = %subject, "a user was removed");
        self.end_sessions(subject, None).await
    }

    /// The roles of a subject; none where the directory does not know it, or keeps it from logging in.
    ///
    /// # Errors
    /// [`Error::Registry`], [`Error::Damaged`].
    pub async fn roles(&self, subject: &Subject) -> Result<Vec<String>, Error> {
        let found = self.load(subject.as_str()).await?;
        Ok(match found {
            Some((stored, _)) if !stored.disabled => stored.roles,
            _ => Vec::new(),
        })
    }

    async fn end_sessions(&self, subject: Subject, except: Option<SessionId>) -> Result<(), Error> {
        let scope = Scope::Subject { app: None, subject };
        self.0.sessions.revoke_all(scope, except).await?;
        Ok(())
    }

    /// The entry of this name and its version. A name that cannot be one is nobody's.
    pub(super) async fn load(&self, name: &str) -> Result<Option<(Stored, u64)>, Error> {
        if Subject::new(name).is_err() {
            return Ok(None);
        }
        let now = self.0.sessions.now();
        let entry = self.0.registry.get(Kind::User, name, now).await?;
        let decoded = entry.map(|entry| Ok((Stored::decode(&entry.value)?, entry.version)));
        decoded.transpose()
    }

    pub(super) async fn put(
        &self,
        name: &str,
        expected: Expected,
        stored: Option<&Stored>,
    ) -> Result<Put, Error> {
        let value = stored.map(Stored::encode).transpose()?;
        let now = self.0.sessions.now();
        let registry = &self.0.registry;
        Ok(registry
            .put(Kind::User, name, expected, value, None, now)
            .await?)
    }

    async fn change(&self, name: &str, edit: impl Fn(&mut Stored)) -> Result<Stored, Error> {
        for _ in 0..TRIES {
            let (mut stored, version) = self.load(name).await?.ok_or(Error::Unknown)?;
            edit(&mut stored);
            stored.changed = self.shown_now().as_millis();
            let put = self
                .put(name, Expected::Version(version), Some(&stored))
                .await?;
            if matches!(put, Put::Done(_)) {
                return Ok(stored);
            }
        }
        Err(Error::Contended)
    }

    pub(super) fn shown_now(&self) -> Timestamp {
        let sessions = &self.0.sessions;
        sessions.shown(sessions.now())
    }
}

type Password = Zeroizing<String>;

fn given_or_made(
    name: &Subject,
    given: Option<Password>,
) -> Result<(Password, Option<Password>), Error> {
    match given {
        Some(given) => {
            password::check(name.as_str(), &given)?;
            Ok((given, None))
        }
        None => {
            let made = password::make();
            Ok((made.clone(), Some(made)))
        }
    }
}
