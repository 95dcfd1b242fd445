//! What a stage brings back.

/// How a stage ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Verdict {
    Passed,
    Failed,
    /// Could not be run here, for the reason in the note.
    Skipped,
}

/// What a stage brought.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
    /// Their names.
    pub(crate) failed_tests: Vec<String>,
    /// For the table: why it failed or was skipped, or a figure.
    pub(crate) note: String,
}

impl Outcome {
    /// Without a test counted.
    pub(crate) fn passed() -> Self {
        Self {
            verdict: Verdict::Passed,
            passed: 0,
            failed: 0,
            failed_tests: Vec::new(),
            note: String::new(),
        }
    }

    /// A stage that failed as a whole.
    pub(crate) fn failed(note: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Failed,
            note: note.into(),
            ..Self::passed()
        }
    }

    /// A stage that did not run.
    pub(crate) fn skipped(note: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Skipped,
            note: note.into(),
            ..Self::passed()
        }
    }

    /// What it adds to the count of failures: its failed tests, or one for itself where no test is to blame.
    pub(crate) fn failures(&self) -> u64 {
        if self.verdict == Verdict::Failed {
            self.failed.max(1)
        } else {
            0
        }
    }
}

/// A stage that was run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) stage: &'static str,
    pub(crate) minutes: f64,
    /// User and system time of all its processes.
    pub(crate) cpu_minutes: Option<f64>,
    pub(crate) outcome: Outcome,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_without_failed_tests_counts_once() {
        assert_eq!(Outcome::failed("does not compile").failures(), 1);
        assert_eq!(
            Outcome {
                failed: 3,
                ..Outcome::failed("")
            }
            .failures(),
            3
        );
        assert_eq!(Outcome::skipped("not here").failures(), 0);
        assert_eq!(Outcome::passed().failures(), 0);
    }
}
