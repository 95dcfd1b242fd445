//! `figures`: measures ours and the peers in turn, judges the figures against the goals, and writes the page.
//!
//! `cargo xtask bench` builds everything and starts this; the raw figures go to `docs/performance/results.json`, so that
//! `--only page` draws the page again without measuring.

mod goals;
mod groups;
mod http;
mod options;
mod page;
mod process;
mod results;
mod statistics;

use std::error::Error;
use std::process::ExitCode;

use groups::Group;
use options::Options;
use results::Results;

/// What went wrong, in one line for the person at the terminal. Nothing here branches on a kind of error.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match options::parse(&words).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("figures: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// A goal that is missed is a figure, not a failure: the table says it.
fn run(options: &Options) -> Result<()> {
    let file = options.root.join("docs/performance/results.json");
    let mut results = Results::load(&file)?;
    for group in Group::ALL.into_iter().filter(|group| options.wants(*group)) {
        complain(&format!("== {}", group.name()));
        group.measure(options, &mut results)?;
        // Kept after each group: a later one that fails costs only itself.
        results.save(&file)?;
    }
    let rows = goals::rows(&results);
    say(&page::terminal(&rows));
    page::write(&options.root, &results, &rows)
}

/// One line on standard output.
#[expect(clippy::print_stdout, reason = "the output of a command")]
fn say(line: &str) {
    println!("{line}");
}

/// One line on standard error.
#[expect(clippy::print_stderr, reason = "the progress of a command")]
fn complain(line: &str) {
    eprintln!("{line}");
}
