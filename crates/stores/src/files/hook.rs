//! How tests watch, fail, hold and stop the steps of a store.

use std::fmt;
use std::io;
use std::sync::Arc;

/// One step on the file system.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// What it does: `rename`, `write`, …
    pub name: &'static str,
    /// Its path in the store's folder; of two, where it leads to.
    pub path: &'a str,
    /// Before or after it is done.
    pub moment: Moment,
}

/// When a hook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// An error means that the step is not done.
    Before,
    /// An error means that it fails although it was done.
    After,
}

type Call = dyn Fn(Step<'_>) -> io::Result<()> + Send + Sync;

/// Called around every step; by default nothing is.
#[derive(Clone, Default)]
pub struct Hook(Option<Arc<Call>>);

impl Hook {
    /// A hook that calls `call`.
    pub fn new(call: impl Fn(Step<'_>) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(call)))
    }

    pub(super) fn tell(&self, step: Step<'_>) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |call| call(step))
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Hook" } else { "none" })
    }
}
