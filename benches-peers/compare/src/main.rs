//! `compare`: the scenarios that every session layer should survive, each against ours and against peers.
//!
//! A regression kit for ours: it exits with 1 where ours does not hold. What it says about a peer is for the person at the
//! terminal, who should read the scenario before he believes it; it is published nowhere.

mod browser;
mod logs;
mod scenarios;
mod script;
mod under;

use std::process::ExitCode;

use scenarios::{SCENARIOS, Stop};
use under::Layer;

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut ours_holds = true;
    let mut reasons = Vec::new();
    say(&line("", Layer::ALL.map(Layer::name)));
    for scenario in SCENARIOS {
        if !(wanted.is_empty()
            || wanted
                .iter()
                .any(|word| scenario.name.contains(word.as_str())))
        {
            continue;
        }
        let words = Layer::ALL.map(|layer| match scenario.run(layer) {
            Ok(()) => "holds",
            Err(Stop::NotApplicable(why)) => {
                reasons.push(format!(
                    "{}, {}: not applicable: {why}",
                    scenario.name,
                    layer.name()
                ));
                "-"
            }
            Err(Stop::DoesNotHold(why)) => {
                ours_holds &= layer != Layer::Cloakroom;
                reasons.push(format!("{}, {}: {why}", scenario.name, layer.name()));
                "does not hold"
            }
        });
        say(&line(scenario.name, words));
    }
    say("");
    reasons.iter().for_each(|reason| say(reason));
    if ours_holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn line(name: &str, words: [&str; 3]) -> String {
    let [one, two, three] = words;
    format!("{name:<66} {one:<15} {two:<15} {three}")
}

#[expect(clippy::print_stdout, reason = "the output of a command")]
fn say(line: &str) {
    println!("{line}");
}
