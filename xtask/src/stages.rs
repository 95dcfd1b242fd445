//! The stages of `cargo xtask test`, in the order they run.

mod compile;
mod outcome;
mod prove;

use std::time::Instant;

use crate::workspace::Workspace;
use crate::{Result, process, report, setup};

pub(crate) use outcome::{Outcome, Ran, Verdict};

/// One step of the run.
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    /// For the usage text.
    pub(crate) about: &'static str,
    /// Pointless when `build` failed: it would print the same errors again.
    needs_build: bool,
    run: Run,
}

type Run = fn(&Workspace) -> Result<Outcome>;

const fn stage(name: &'static str, about: &'static str, run: Run) -> Stage {
    Stage {
        name,
        about,
        needs_build: false,
        run,
    }
}

const fn after_build(name: &'static str, about: &'static str, run: Run) -> Stage {
    Stage {
        name,
        about,
        needs_build: true,
        run,
    }
}

/// Cheap before dear: a wrong space is known after a minute.
pub(crate) const STAGES: [Stage; 13] = [
    stage("set-up", "install what the tests need", set_up),
    stage("fmt", "formatting", prove::fmt),
    stage("tidy", "manifests, sources, licences, ids", prove::tidy_up),
    stage("clippy", "lints, all of them errors", compile::clippy),
    stage("build", "the server and every test", compile::build),
    after_build("tests", "all tests and doc tests", prove::tests),
    stage("examples", "the examples on their own", compile::examples),
    stage("features", "libraries, features off", compile::features),
    stage("peers", "the benchmarks compile", compile::peers),
    stage("docs", "documentation, no warning", compile::docs),
    after_build("contract", "schemathesis over HTTP", prove::contract),
    stage("deny", "cargo-deny, if installed", prove::deny),
    stage("release", "the default release build", compile::release),
];

fn set_up(_: &Workspace) -> Result<Outcome> {
    setup::run().map(|()| Outcome::passed())
}

/// Finds a stage.
pub(crate) fn by_name(name: &str) -> Option<&'static Stage> {
    STAGES.iter().find(|stage| stage.name == name)
}

/// Runs the stages named, or all. One that fails does not stop the others: CI shows everything at once.
pub(crate) fn run(workspace: &Workspace, only: &[&str]) -> Vec<Ran> {
    let mut done: Vec<Ran> = Vec::new();
    for stage in STAGES
        .iter()
        .filter(|stage| only.is_empty() || only.contains(&stage.name))
    {
        report::say(&format!("== {}", stage.name));
        let build_failed = done
            .iter()
            .any(|ran| ran.stage == "build" && ran.outcome.verdict == Verdict::Failed);
        let (start, cpu) = (Instant::now(), process::children_cpu_minutes());
        let outcome = if stage.needs_build && build_failed {
            Outcome::failed("not run: the build failed")
        } else {
            (stage.run)(workspace).unwrap_or_else(|error| {
                report::complain(&format!("error: {error}"));
                Outcome::failed(error.to_string().lines().next().unwrap_or_default())
            })
        };
        let cpu_minutes = process::children_cpu_minutes()
            .zip(cpu)
            .map(|(after, before)| after - before);
        let ran = Ran {
            stage: stage.name,
            minutes: start.elapsed().as_secs_f64() / 60.0,
            cpu_minutes,
            outcome,
        };
        report::stage(&ran);
        done.push(ran);
    }
    done
}
