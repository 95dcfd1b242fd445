//! What a request wants to change: a delta, so that parallel requests do not lose each other's writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::data::JsonText;
use crate::record::{Activity, Device, Security};

/// What happens to one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// The name gets this value.
    Set(JsonText),
    /// The name goes. A removal is part of the change, so nothing comes back from the dead.
    Remove,
}

/// Changes to a session's data, by name. Applying the same edits twice gives the same data.
///
/// A clone is a reference count: a request's edits go to the limits, into the write, and back where that fails.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edits {
    clear: bool,
    /// Absent until there is one: no edits cost nothing.
    by_name: Option<Arc<BTreeMap<Box<str>, Edit>>>,
}

impl Edits {
    /// No change.
    pub fn new() -> Self {
        Self::default()
    }

    /// `name` gets `value`.
    pub fn set(&mut self, name: impl Into<Box<str>>, value: JsonText) {
        self.own().insert(name.into(), Edit::Set(value));
    }

    /// `name` goes.
    pub fn remove(&mut self, name: impl Into<Box<str>>) {
        self.own().insert(name.into(), Edit::Remove);
    }

    /// Every name goes, also those that another request adds before this change is written.
    pub fn clear(&mut self) {
        self.by_name = None;
        self.clear = true;
    }

    /// Whether all names go before the edits by name apply.
    pub fn clears(&self) -> bool {
        self.clear
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        !self.clear && self.by_name.is_none()
    }

    /// What happens to `name`; where [`Edits::clears`] is true, a name without an edit goes.
    pub fn get(&self, name: &str) -> Option<&Edit> {
        self.by_name.as_ref()?.get(name)
    }

    /// The edits by name, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Edit)> {
        let by_name = self.by_name.iter().flat_map(|edits| edits.iter());
        by_name.map(|(name, edit)| (&**name, edit))
    }

    fn own(&mut self) -> &mut BTreeMap<Box<str>, Edit> {
        Arc::make_mut(self.by_name.get_or_insert_default())
    }

    /// The names that get a value.
    pub fn names_set(&self) -> impl Iterator<Item = &str> {
        self.iter()
            .filter(|(_, edit)| matches!(edit, Edit::Set(_)))
            .map(|(name, _)| name)
    }

    /// `self`, then `later`, as one change.
    #[must_use]
    pub fn then(mut self, later: Self) -> Self {
        if later.clear || self.is_empty() {
            return later;
        }
        if let Some(edits) = later.by_name {
            self.own().extend(Arc::unwrap_or_clone(edits));
        }
        self
    }
}

/// One write to a record: edits of its data, and whole new units where they change.
///
/// The security block is replaced whole, never field by field (DESIGN 1.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// What happens to the data.
    pub edits: Edits,
    /// The new security block.
    pub security: Option<Security>,
    /// The new activity; the later idle deadline wins where the store has a later one.
    pub activity: Option<Activity>,
    /// The new description of the device.
    pub device: Option<Device>,
}

impl Change {
    /// A change of data alone.
    pub fn of_data(edits: Edits) -> Self {
        Self {
            edits,
            ..Self::default()
        }
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
            && self.security.is_none()
            && self.activity.is_none()
            && self.device.is_none()
    }
}
