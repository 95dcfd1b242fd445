//! The schema's versions: which steps are missing, and whether this release may work with what it finds.

use cloakroom_core::store::{ErrorKind, StoreError};

/// One step from a version to the next. Steps are never edited once released, only followed by others.
pub(crate) struct Step {
    /// The version after it; steps are numbered from 1 without a gap.
    pub(crate) version: i32,
    /// The oldest version whose code may go on working beside it: smaller than `version` where the step only adds.
    pub(crate) needs: i32,
    /// Statements in the database's own language.
    pub(crate) sql: &'static str,
}

/// What stands in the database: its version, and the oldest version whose code may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) version: i32,
    pub(crate) needs: i32,
}

/// The steps to take on what was found. A newer schema is fine as long as it only added to ours.
pub(crate) fn missing(steps: &[Step], found: Option<Found>) -> Result<&[Step], StoreError> {
    let ours = steps.last().map_or(0, |step| step.version);
    let Some(found) = found else {
        return Ok(steps);
    };
    if found.needs > ours {
        return Err(StoreError::new(
            ErrorKind::Denied,
            "the database's schema is of a later release, which this one cannot use",
        ));
    }
    let first = steps.iter().position(|step| step.version > found.version);
    Ok(first.map_or(&[], |first| &steps[first..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &[Step] = &[step(1, 1), step(2, 1), step(3, 2)];

    const fn step(version: i32, needs: i32) -> Step {
        Step {
            version,
            needs,
            sql: "",
        }
    }

    fn versions(found: Option<(i32, i32)>) -> Option<Vec<i32>> {
        let found = found.map(|(version, needs)| Found { version, needs });
        let steps = missing(STEPS, found).ok()?;
        Some(steps.iter().map(|step| step.version).collect())
    }

    #[test]
    fn only_what_is_missing_is_done_and_only_what_cannot_be_used_is_refused() {
        assert_eq!(versions(None), Some(vec![1, 2, 3]));
        assert_eq!(versions(Some((1, 1))), Some(vec![2, 3]));
        assert_eq!(versions(Some((3, 2))), Some(vec![]));
        assert_eq!(versions(Some((5, 3))), Some(vec![]));
        assert_eq!(versions(Some((5, 4))), None);
    }
}
