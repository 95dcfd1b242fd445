//! Runs cases, each on a fixture of its own.

use std::future::Future;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::fixture::Fixture;
use crate::verdict::{Checked, Stop};

/// A case that takes longer has hung: a deadlock is a failure too.
const LIMIT: Duration = Duration::from_secs(120);

/// One case, ready to run.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name; it begins with the sentence it proves, as in `s_05_conflict_answers_newer`.
    pub name: &'static str,
    run: fn() -> Checked,
}

impl Case {
    #[doc(hidden)]
    pub const fn new(name: &'static str, run: fn() -> Checked) -> Self {
        Self { name, run }
    }

    /// Runs it on a new fixture and a runtime of its own. A panic, of the store or of the fixture, is a failure.
    ///
    /// # Errors
    /// [`Stop`] says whether it was skipped or failed, and why.
    pub fn run(&self) -> Checked {
        catch_unwind(AssertUnwindSafe(self.run)).unwrap_or_else(|panic| {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            Err(Stop::Failed(format!("panic: {}", text.unwrap_or("?"))))
        })
    }
}

/// How the cases ended, by name.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Cases that passed.
    pub passed: Vec<&'static str>,
    /// Cases that did not apply, and why.
    pub skipped: Vec<(&'static str, &'static str)>,
    /// Cases that failed, and why.
    pub failed: Vec<(&'static str, String)>,
}

/// Runs every case on `F`, one after another.
pub fn run_all<F: Fixture>() -> Report {
    let mut report = Report::default();
    for case in cases::<F>() {
        match case.run() {
            Ok(()) => report.passed.push(case.name),
            Err(Stop::Skipped(why)) => report.skipped.push((case.name, why)),
            Err(Stop::Failed(why)) => report.failed.push((case.name, why)),
        }
    }
    report
}

/// Every case for `F`.
pub fn cases<F: Fixture>() -> Vec<Case> {
    crate::suite::table::<F>()
}

/// Runs one case as a test: panics where it failed; where it was skipped, says so on standard error.
///
/// # Panics
/// Where the case failed.
pub fn check(case: Case) {
    match case.run() {
        Ok(()) => {}
        Err(Stop::Skipped(why)) => {
            // Past the capture of the test harness, so that a case that does not run is seen. Nothing depends on it.
            let _ = writeln!(std::io::stderr(), "{}: skipped: {why}", case.name);
        }
        #[expect(clippy::panic, reason = "this is how a test fails")]
        Err(Stop::Failed(why)) => panic!("{}: {why}", case.name),
    }
}

/// Opens a fixture and runs `case` on it.
#[doc(hidden)]
pub fn on_fixture<F: Fixture, R: Future<Output = Checked>>(case: fn(F) -> R) -> Checked {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .map_err(|error| Stop::Failed(format!("no runtime: {error}")))?;
    let done = runtime.block_on(async {
        let whole = async { case(F::open().await).await };
        tokio::time::timeout(LIMIT, whole)
            .await
            .unwrap_or_else(|_| Err(Stop::Failed("hangs".into())))
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    done
}
