//! Everything that is printed: findings, the table of stages and the last line that CI reads.

use crate::stages::{Outcome, Ran, Verdict};
use crate::tidy::Findings;

/// One line on standard output.
#[expect(clippy::print_stdout, reason = "the output of a command")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// One line on standard error.
#[expect(clippy::print_stderr, reason = "the output of a command")]
pub(crate) fn complain(line: &str) {
    eprintln!("{line}");
}

/// Tidy's errors, and its warnings as a table.
pub(crate) fn findings(findings: &Findings) {
    if !findings.warnings.is_empty() {
        say("tidy warns:");
        findings
            .warnings
            .iter()
            .for_each(|warning| say(&format!("  {warning}")));
    }
    findings
        .errors
        .iter()
        .for_each(|error| say(&format!("error: {error}")));
    say(&format!(
        "tidy: {} errors, {} warnings",
        findings.errors.len(),
        findings.warnings.len()
    ));
}

/// What follows each stage.
pub(crate) fn stage(ran: &Ran) {
    say(&format!(
        "== {}: {} in {:.1} min{}",
        ran.stage,
        word(&ran.outcome),
        ran.minutes,
        dash(&ran.outcome.note)
    ));
}

/// Prints the table and, as the very last line, `N passed, N failed`; answers whether nothing failed.
pub(crate) fn conclude(stages: &[Ran]) -> bool {
    let (text, passed) = conclusion(stages);
    say(&text);
    passed
}

fn conclusion(stages: &[Ran]) -> (String, bool) {
    let mut lines = vec![String::new()];
    lines.push(format!(
        "{:<10} {:<8} {:>7} {:>7} {:>7} {:>7}",
        "stage", "", "min", "cpu min", "passed", "failed"
    ));
    for ran in stages {
        let cpu = ran
            .cpu_minutes
            .map_or_else(|| "-".to_owned(), |minutes| format!("{minutes:.1}"));
        let Outcome { passed, note, .. } = &ran.outcome;
        let (word, failed) = (word(&ran.outcome), ran.outcome.failures());
        let (stage, minutes) = (ran.stage, ran.minutes);
        let note = dash(note);
        lines.push(format!(
            "{stage:<10} {word:<8} {minutes:>7.1} {cpu:>7} {passed:>7} {failed:>7}{note}"
        ));
    }
    let minutes: f64 = stages.iter().map(|ran| ran.minutes).sum();
    let cpu: f64 = stages.iter().filter_map(|ran| ran.cpu_minutes).sum();
    lines.push(format!("{:<10} {:<8} {minutes:>7.1} {cpu:>7.1}", "all", ""));
    for ran in stages {
        lines.extend(
            ran.outcome
                .failed_tests
                .iter()
                .map(|name| format!("FAILED {}: {name}", ran.stage)),
        );
    }
    let passed: u64 = stages.iter().map(|ran| ran.outcome.passed).sum();
    let failed: u64 = stages.iter().map(|ran| ran.outcome.failures()).sum();
    lines.push(format!("{passed} passed, {failed} failed"));
    (lines.join("\n"), failed == 0)
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome.verdict {
        Verdict::Passed => "ok",
        Verdict::Failed => "FAILED",
        Verdict::Skipped => "skipped",
    }
}

fn dash(note: &str) -> String {
    if note.is_empty() {
        String::new()
    } else {
        format!("  {note}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(stage: &'static str, outcome: Outcome) -> Ran {
        Ran {
            stage,
            minutes: 0.5,
            cpu_minutes: Some(0.9),
            outcome,
        }
    }

    fn tests(passed: u64, failed_tests: &[&str]) -> Outcome {
        let verdict = if failed_tests.is_empty() {
            Verdict::Passed
        } else {
            Verdict::Failed
        };
        let failed_tests: Vec<String> =
            failed_tests.iter().map(|name| (*name).to_owned()).collect();
        Outcome {
            passed,
            failed: failed_tests.len() as u64,
            failed_tests,
            verdict,
            note: String::new(),
        }
    }

    #[test]
    fn the_last_line_is_the_sum() {
        let (text, passed) =
            conclusion(&[ran("tests", tests(41, &[])), ran("contract", tests(1, &[]))]);
        assert_eq!(text.lines().last(), Some("42 passed, 0 failed"));
        assert!(passed);
    }

    #[test]
    fn failed_tests_and_failed_stages_both_count_and_are_named() {
        let (text, passed) = conclusion(&[
            ran("fmt", Outcome::failed("not formatted")),
            ran("tests", tests(3, &["a::b", "c"])),
        ]);
        assert_eq!(text.lines().last(), Some("3 passed, 3 failed"));
        assert!(text.contains("FAILED tests: a::b") && text.contains("not formatted"));
        assert!(!passed);
    }

    #[test]
    fn a_skipped_stage_fails_nothing() {
        let (text, passed) =
            conclusion(&[ran("deny", Outcome::skipped("cargo-deny is not installed"))]);
        assert_eq!(text.lines().last(), Some("0 passed, 0 failed"));
        assert!(passed && text.contains("cargo-deny is not installed"));
    }
}
