//! What is wrong with a configuration, and where it stands.

use std::{fmt, path::PathBuf, sync::Arc};

/// Where a value of the configuration was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nowhere: it is the built-in default.
    Default,
    /// In the configuration file, on this line (from 1).
    File(Arc<PathBuf>, usize),
    /// In this environment variable.
    Env(String),
    /// In this flag of the command line.
    Flag(&'static str),
    /// In a file of its own that an `X_file` key names; the second is where that key stands.
    SecretFile(PathBuf, Box<Self>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::SecretFile(path, named_by) => {
                write!(f, "{} (named by {named_by})", path.display())
            }
        }
    }
}

/// A configuration that cannot be used. Shown as one line: where it stands, the key, what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where the offending value stands.
    pub place: Place,
    /// The key, with dots; empty where the file as a whole is meant.
    pub key: String,
    /// What is wrong, as a lower-case fragment.
    pub why: String,
}

impl ConfigError {
    pub(super) fn new(place: Place, key: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            place,
            key: key.into(),
            why: why.into(),
        }
    }

    /// Whether the command line is at fault: then the exit status is 2, wrong use.
    #[must_use]
    pub fn is_wrong_use(&self) -> bool {
        matches!(self.place, Place::Flag(_))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        // A value quoted from the file may hold line breaks; the promise is one line.
        f.write_str(&self.why.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

impl std::error::Error for ConfigError {}
