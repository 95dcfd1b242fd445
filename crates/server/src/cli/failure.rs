//! How a command fails: with an exit status and one line on standard error.

use crate::config::ConfigError;

/// Why a command did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It failed: exit status 1.
    Failed(String),
    /// It was called wrongly: exit status 2.
    WrongUse(String),
}

impl Failure {
    pub(super) fn failed(why: impl ToString) -> Self {
        Self::Failed(why.to_string())
    }

    /// The exit status.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::WrongUse(_) => 2,
        }
    }

    /// The one line.
    #[must_use]
    pub fn line(&self) -> String {
        let (Self::Failed(why) | Self::WrongUse(why)) = self;
        why.split(['\n', '\r'])
            .map(str::trim)
            .filter(|l| !l.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        if error.is_wrong_use() {
            Self::WrongUse(error.to_string())
        } else {
            Self::Failed(error.to_string())
        }
    }
}
