//! Typed session data.

use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fields;
use crate::session::{Error, Session};

/// Session data as a type: each top-level field of `T` is a name.
///
/// Reads like a `T`. [`Data::update`] writes only the fields it changed, so parallel requests that change others lose
/// nothing. Fields that were never written are as in `T::default()`; other names in the session do not matter.
pub struct Data<T> {
    session: Session,
    first: Node<T>,
}

/// Values as they were committed one after the other; the last one is what is read. References given out stay good.
struct Node<T> {
    value: T,
    next: OnceLock<Box<Node<T>>>,
}

impl<T: Serialize + DeserializeOwned + Default> Data<T> {
    /// The `T` in `session`, which is loaded if need be.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Json`] where a field has another type.
    pub async fn of(session: Session) -> Result<Self, Error> {
        let value = fields::read(&session.data().await?)?;
        Ok(Self {
            session,
            first: Node::new(value),
        })
    }

    /// Changes the data and commits at once: of the fields that `change` changed, and no others. Where another request
    /// came between, `change` runs again on the newer value.
    ///
    /// # Errors
    /// As [`Session::update`].
    pub async fn update<R>(&self, mut change: impl FnMut(&mut T) -> R) -> Result<R, Error> {
        let mut committed = None;
        let compute = |data: &cloakroom_core::Data| {
            let mut value: T = fields::read(data)?;
            // Compared with what is stored, not with what defaults would be.
            let mut before = fields::fields(&value)?;
            before.retain(|name, _| data.get(name).is_some());
            let answer = change(&mut value);
            let edits = fields::difference(&before, &value)?;
            committed = Some((value, answer));
            Ok(edits)
        };
        self.session.commit_with(compute).await?;
        let (value, answer) = committed.ok_or(Error::Contended)?;
        self.first.push(value);
        Ok(answer)
    }
}

impl<T> Data<T> {
    /// The value as last read or committed through this handle.
    pub fn get(&self) -> &T {
        let mut node = &self.first;
        while let Some(next) = node.next.get() {
            node = next;
        }
        &node.value
    }

    /// The session it is part of.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

impl<T> Node<T> {
    fn new(value: T) -> Self {
        Self {
            value,
            next: OnceLock::new(),
        }
    }

    fn push(&self, value: T) {
        let mut pushed = Box::new(Self::new(value));
        let mut node = self;
        while let Err(back) = node.next.set(pushed) {
            pushed = back;
            match node.next.get() {
                Some(next) => node = next,
                None => return,
            }
        }
    }
}

impl<T> Deref for Data<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.get()
    }
}

impl<T> fmt::Debug for Data<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Data")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}
