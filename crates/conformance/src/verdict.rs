//! How a case ends.

use cloakroom_core::StoreError;

/// The end of a case: it passed, or it stopped before.
pub type Checked = Result<(), Stop>;

/// Why a case stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It does not apply to what the store declares, or the fixture cannot do what it needs.
    Skipped(&'static str),
    /// The store broke the sentence.
    Failed(String),
}

impl From<StoreError> for Stop {
    /// A store that could not do its work where nothing was in its way.
    fn from(error: StoreError) -> Self {
        let cause = std::error::Error::source(&error);
        Self::Failed(match cause {
            Some(cause) => format!("unexpected error: {error}: {cause}"),
            None => format!("unexpected error: {error}"),
        })
    }
}

/// Stops the case as failed unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err($crate::verdict::Stop::Failed(format!($($why)+)));
        }
    };
}

/// Stops the case as failed unless both sides are equal.
macro_rules! ensure_eq {
    ($found:expr, $wanted:expr, $($why:tt)+) => {
        match (&$found, &$wanted) {
            (found, wanted) => {
                if found != wanted {
                    let why = format!($($why)+);
                    return Err($crate::verdict::Stop::Failed(format!(
                        "{why}\n  found:  {found:?}\n  wanted: {wanted:?}"
                    )));
                }
            }
        }
    };
}

/// The fields of the expected answer, or the case failed.
macro_rules! answers {
    ($answer:expr, $pattern:pat $(if $guard:expr)? => $out:expr, $($why:tt)+) => {
        match $answer {
            $pattern $(if $guard)? => $out,
            other => {
                let why = format!($($why)+);
                return Err($crate::verdict::Stop::Failed(format!("{why}\n  found:  {other:?}")));
            }
        }
    };
}

pub(crate) use {answers, ensure, ensure_eq};
