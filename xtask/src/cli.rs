//! The command line: parsed once, into a type; by hand, because a parser crate would double the build.

use crate::bench::BenchOptions;
use crate::stages::{self, STAGES};

/// What the developer asked for.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    /// Run stages; an empty list means all of them.
    Test {
        /// Names out of [`STAGES`], in the order typed.
        only: Vec<&'static str>,
    },
    /// The long counts.
    Soak(SoakOptions),
    /// Measure, beside the peers.
    Bench(BenchOptions),
    /// The scenarios that a session layer should survive, ours and peers.
    Compare,
    /// Build the server for a small device and print its size.
    Small(SmallOptions),
    /// Install what the tests need.
    SetUp,
    /// The checks on manifests and sources.
    Tidy,
    /// Print the usage.
    Help,
}

/// What `soak` takes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct SoakOptions {
    /// Repeats a former run; chosen by the clock where absent.
    pub(crate) seed: Option<u64>,
    /// Only this package's tests.
    pub(crate) package: Option<String>,
}

/// What `small` takes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct SmallOptions {
    /// Features to turn on, as cargo takes them; none where absent.
    pub(crate) features: Option<String>,
    /// Another machine's target triple.
    pub(crate) target: Option<String>,
}

/// Reads the arguments after the program's name. The error is one line.
pub(crate) fn parse(arguments: &[String]) -> Result<Command, String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["test"] => Ok(Command::Test { only: Vec::new() }),
        ["test", "--only", names] => Ok(Command::Test {
            only: stage_names(names)?,
        }),
        ["soak", rest @ ..] => soak_options(rest).map(Command::Soak),
        ["bench", rest @ ..] => bench_options(rest).map(Command::Bench),
        ["compare"] => Ok(Command::Compare),
        ["small", rest @ ..] => small_options(rest).map(Command::Small),
        ["set-up"] => Ok(Command::SetUp),
        ["tidy"] => Ok(Command::Tidy),
        ["help" | "--help" | "-h"] => Ok(Command::Help),
        [] => Err("a subcommand is missing".into()),
        _ => Err(format!("`{}` is not understood", words.join(" "))),
    }
}

/// What is printed for `--help` and after a wrong command line.
pub(crate) fn usage() -> String {
    let mut text = String::from(
        "usage: cargo xtask <subcommand>\n\
         \n  test [--only STAGE[,STAGE]]           install what is missing and run everything that CI runs\
         \n  soak [--seed N] [--package NAME]      the full counts of the same tests (names with `soak_`), in release mode\
         \n  bench [--quick] [--only GROUP]        measure beside the peers, and write docs/performance.md; groups: inprocess, library,\
         \n                                        server, scale, stores, device, remote; `page` draws the page again\
         \n  compare                               the scenarios that a session layer should survive, ours and peers\
         \n  small [--features LIST] [--target T]  the server for a small device, without what it can do without; prints its size\
         \n  set-up                                install what the tests need\
         \n  tidy                                  check manifests, sources, licences and contract ids\n\nstages of test:",
    );
    for stage in &STAGES {
        text.push_str(&format!("\n  {:<10} {}", stage.name, stage.about));
    }
    text
}

fn stage_names(list: &str) -> Result<Vec<&'static str>, String> {
    let find = |name: &str| {
        stages::by_name(name)
            .map(|stage| stage.name)
            .ok_or_else(|| {
                let known: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
                format!("no stage `{name}`; there are {}", known.join(", "))
            })
    };
    list.split(',').map(find).collect()
}

fn soak_options(mut words: &[&str]) -> Result<SoakOptions, String> {
    let mut options = SoakOptions::default();
    loop {
        words = match words {
            [] => return Ok(options),
            ["--seed", number, rest @ ..] => {
                let seed = number
                    .parse()
                    .map_err(|_| format!("--seed takes a whole number, not `{number}`"))?;
                options.seed = Some(seed);
                rest
            }
            ["--package", name, rest @ ..] => {
                options.package = Some((*name).to_owned());
                rest
            }
            _ => return Err(format!("`soak {}` is not understood", words.join(" "))),
        };
    }
}

fn bench_options(mut words: &[&str]) -> Result<BenchOptions, String> {
    let mut options = BenchOptions::default();
    loop {
        words = match words {
            [] => return Ok(options),
            ["--quick", rest @ ..] => {
                options.quick = true;
                rest
            }
            ["--only", group, rest @ ..] => {
                options.only = Some((*group).to_owned());
                rest
            }
            _ => return Err(format!("`bench {}` is not understood", words.join(" "))),
        };
    }
}

fn small_options(mut words: &[&str]) -> Result<SmallOptions, String> {
    let mut options = SmallOptions::default();
    loop {
        words = match words {
            [] => return Ok(options),
            ["--features", list, rest @ ..] => {
                options.features = Some((*list).to_owned());
                rest
            }
            ["--target", triple, rest @ ..] => {
                options.target = Some((*triple).to_owned());
                rest
            }
            _ => return Err(format!("`small {}` is not understood", words.join(" "))),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Command, String> {
        parse(
            &line
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn stages_are_chosen_by_name() {
        assert_eq!(parse_line("test").unwrap(), Command::Test { only: vec![] });
        assert_eq!(
            parse_line("test --only fmt,tidy").unwrap(),
            Command::Test {
                only: vec!["fmt", "tidy"]
            }
        );
        assert!(
            parse_line("test --only fmt,tydi")
                .unwrap_err()
                .contains("no stage `tydi`")
        );
    }

    #[test]
    fn soak_takes_a_seed_and_a_package() {
        let expected = SoakOptions {
            seed: Some(7),
            package: Some("cloakroom".into()),
        };
        assert_eq!(
            parse_line("soak --package cloakroom --seed 7").unwrap(),
            Command::Soak(expected)
        );
        assert!(parse_line("soak --seed many").is_err());
    }

    #[test]
    fn bench_takes_a_group() {
        let expected = BenchOptions {
            quick: true,
            only: Some("server".into()),
        };
        assert_eq!(
            parse_line("bench --only server --quick").unwrap(),
            Command::Bench(expected)
        );
        assert!(parse_line("bench --only").is_err());
    }

    #[test]
    fn small_takes_features_and_a_target() {
        let expected = SmallOptions {
            features: Some("tls,embedded".into()),
            target: Some("armv7-unknown-linux-musleabihf".into()),
        };
        assert_eq!(
            parse_line("small --features tls,embedded --target armv7-unknown-linux-musleabihf"),
            Ok(Command::Small(expected))
        );
        assert!(parse_line("small tls").is_err());
    }

    #[test]
    fn an_unknown_subcommand_is_an_error() {
        for line in ["", "bench quick", "test fmt", "tidy now", "soak --sed 1"] {
            assert!(parse_line(line).is_err(), "{line}");
        }
    }
}
