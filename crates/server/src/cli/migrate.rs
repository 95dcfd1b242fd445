//! `cloakroom migrate`: copies a store to another one.

use super::{Failure, args::Migrate, output::Output};
use crate::config::{self, Flags, StoreUrl};
use cloakroom::{
    Opened,
    migrate::{self, Progress, Report, Stage},
    open_store,
    service::{Clock, SystemClock},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::{
    error::Error,
    io::{IsTerminal, Write},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// How often a line is written where there is no terminal to draw a bar on.
const LINE_EVERY: Duration = Duration::from_secs(5);

pub(super) fn run(asked: &Migrate, flags: &Flags, out: Output) -> Result<(), Failure> {
    let from = match url("--from", asked.from.as_deref(), asked.from_file.as_deref())? {
        Some(url) => url,
        None => {
            let configured = config::load(flags)?.config.store.url;
            configured.ok_or_else(|| Failure::WrongUse("--from is missing".into()))?
        }
    };
    let to = url("--to", asked.to.as_deref(), asked.to_file.as_deref())?;
    let to = to.ok_or_else(|| Failure::WrongUse("--to is missing".into()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(Failure::failed)?;
    let started = Instant::now();
    let report = runtime.block_on(copy(&from, &to, out))?;
    told(&report, &from, &to, started.elapsed(), out)
}

/// The URL of one side, checked.
fn url(flag: &str, text: Option<&str>, file: Option<&Path>) -> Result<Option<StoreUrl>, Failure> {
    let text = match (text, file) {
        (Some(text), _) => text.to_owned(),
        (None, Some(file)) => std::fs::read_to_string(file)
            .map_err(|error| {
                Failure::Failed(format!(
                    "{flag}-file: cannot read {}: {error}",
                    file.display()
                ))
            })?
            .trim()
            .to_owned(),
        (None, None) => return Ok(None),
    };
    match text.parse::<cloakroom::StoreUrl>() {
        Ok(_) => Ok(Some(StoreUrl::new(text))),
        Err(error) => Err(Failure::WrongUse(format!("{flag}: {error}"))),
    }
}

async fn copy(from: &StoreUrl, to: &StoreUrl, out: Output) -> Result<Report, Failure> {
    let (from, to) = (open("--from", from).await?, open("--to", to).await?);
    let clock: Arc<dyn Clock> = SystemClock::start(Default::default(), |_| {});
    let mut shown = Shown::new(out);
    let mut show = |progress: Progress| shown.show(progress);
    let copied = migrate::copy(&from, &to, &clock, &mut show).await;
    shown.bar.finish_and_clear();
    copied.map_err(|error| Failure::Failed(one_line(&error)))
}

async fn open(flag: &str, url: &StoreUrl) -> Result<Opened, Failure> {
    let opened = open_store(url.expose()).await;
    opened.map_err(|error| Failure::Failed(format!("{flag}: {}", one_line(&error))))
}

fn one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line = format!("{line}: {cause}");
        source = cause.source();
    }
    line
}

/// A bar on a terminal, else a line now and then; with `--json` nothing but the document.
struct Shown {
    bar: ProgressBar,
    lines: bool,
    started: Instant,
    last: Instant,
}

impl Shown {
    fn new(out: Output) -> Self {
        let has_terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::new(0);
        bar.set_draw_target(match has_terminal && !out.json {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        });
        let form =
            "{msg} [{bar:32}] {human_pos} of about {human_len} sessions, {per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self {
            bar,
            lines: !has_terminal && !out.json,
            started: Instant::now(),
            last: Instant::now(),
        }
    }

    fn show(&mut self, progress: Progress) {
        let doing = match progress.stage {
            Stage::Copy => "copying",
            Stage::Verify => "verifying",
        };
        if self.bar.position() > progress.done {
            // The next pass begins.
            (self.started, self.last) = (Instant::now(), Instant::now());
            self.bar.reset();
        }
        self.bar.set_message(doing);
        self.bar.set_length(progress.expected);
        self.bar.set_position(progress.done);
        if self.lines && self.last.elapsed() >= LINE_EVERY {
            self.last = Instant::now();
            let line = line(doing, progress, self.started.elapsed());
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }
    }
}

fn line(doing: &str, progress: Progress, spent: Duration) -> String {
    let Progress { done, expected, .. } = progress;
    let rate = done / spent.as_secs().max(1);
    let left = expected.saturating_sub(done) / rate.max(1);
    format!("{doing}: {done} of about {expected} sessions, {rate}/s, about {left} s left")
}

fn told(
    report: &Report,
    from: &StoreUrl,
    to: &StoreUrl,
    spent: Duration,
    out: Output,
) -> Result<(), Failure> {
    let counts = &report.sessions;
    if counts.differ > 0 {
        return Err(Failure::Failed(format!(
            "{} sessions are in the new store otherwise than they were written: do not use it",
            counts.differ
        )));
    }
    out.answer(&document(report, from, to, spent), || {
        let mut text = format!(
            "{} live sessions: {} copied, {} updated, {} there already; {} that had ended in the old store were ended, {} that had ended in the new one stay so\n{} users, keys and settings written\nverified, in {:.1} s",
            counts.found,
            counts.copied,
            counts.updated,
            counts.kept,
            counts.ended_here,
            counts.ended_there + counts.refused,
            report.entries,
            spent.as_secs_f64(),
        );
        if report.changing > 0 {
            text += "\nthe old store is in use: run this again after the last server has changed over";
        }
        text
    })
}

fn document(report: &Report, from: &StoreUrl, to: &StoreUrl, spent: Duration) -> Value {
    let counts = &report.sessions;
    json!({
        "from": from,
        "to": to,
        "sessions": {
            "found": counts.found,
            "copied": counts.copied,
            "updated": counts.updated,
            "kept": counts.kept,
            "ended_in_old": counts.ended_here,
            "ended_in_new": counts.ended_there,
            "refused": counts.refused,
        },
        "entries": report.entries,
        "passes": report.passes,
        "changing": report.changing,
        "verified": report.verified,
        "seconds": spent.as_secs_f64(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is() {
        let progress = Progress {
            stage: Stage::Copy,
            done: 500,
            expected: 2000,
        };
        assert_eq!(
            line("copying", progress, Duration::from_secs(5)),
            "copying: 500 of about 2000 sessions, 100/s, about 15 s left"
        );
    }
}
