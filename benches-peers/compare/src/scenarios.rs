//! The scenarios, each a function that says whether a layer holds.

mod cookies;
mod failures;
mod identity;
mod parallel;
mod store;
mod time;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::under::Layer;

/// Why a scenario did not end well.
pub(crate) enum Stop {
    /// What happened.
    DoesNotHold(String),
    /// The layer has nothing that the scenario is about.
    NotApplicable(&'static str),
}

type Verdict = Result<(), Stop>;

/// A name, and what happens.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    play: fn(Layer) -> Pin<Box<dyn Future<Output = Verdict>>>,
}

macro_rules! scenario {
    ($name:literal, $play:path) => {
        Scenario {
            name: $name,
            play: |layer| Box::pin($play(layer)),
        }
    };
}

/// All, in the order of the printed table.
pub(crate) const SCENARIOS: [Scenario; 22] = [
    scenario!(
        "two parallel requests write different names: both stay",
        parallel::two_writers
    ),
    scenario!(
        "what a handler has not written yet, others do not see",
        parallel::uncommitted
    ),
    scenario!(
        "a late write after the logout brings nothing back",
        parallel::late_write
    ),
    scenario!(
        "a logout after a request was cancelled in its handler",
        parallel::cancelled
    ),
    scenario!(
        "a renewal in a handler that then answers 500 logs nobody out",
        failures::renewal_and_failure
    ),
    scenario!(
        "a load that fails is an error, and nothing is written over",
        failures::failing_load
    ),
    scenario!("a write that fails is no 200", failures::failing_write),
    scenario!(
        "a login changes the token, and the old one opens nothing",
        identity::login
    ),
    scenario!(
        "a logout by one tab ends the session for all",
        identity::logout
    ),
    scenario!(
        "ada's data does not reach bob, who logs in after her",
        identity::takeover
    ),
    scenario!(
        "a write under a token that was never issued gets another one",
        identity::planted_write
    ),
    scenario!("the same after `clear`", identity::planted_clear),
    scenario!(
        "forged cookies open nothing, and are no 500",
        identity::forged
    ),
    scenario!(
        "the absolute limit ends a session that is in use",
        time::absolute
    ),
    scenario!(
        "reads keep a session from the idle limit",
        time::reads_count
    ),
    scenario!("the idle limit ends a session that is not used", time::idle),
    scenario!("a removal is kept", store::removal),
    scenario!("an update in place is kept", store::update_in_place),
    scenario!(
        "a visitor whose session is not touched: no cookie, no row",
        store::untouched
    ),
    scenario!("the sweeper goes on after the store failed", store::sweeper),
    scenario!(
        "a `__Host-` cookie is read back, and cleared by its attributes",
        cookies::host_prefix
    ),
    scenario!(
        "a flood of unknown ids is no flood of log lines",
        cookies::log_flood
    ),
];

/// Longer than any scenario takes; a layer that waits for ever does not hold.
const PATIENCE: Duration = Duration::from_secs(60);

impl Scenario {
    /// Plays it under `layer`, in a runtime of its own.
    pub(crate) fn run(&self, layer: Layer) -> Verdict {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        runtime.block_on(async {
            match tokio::time::timeout(PATIENCE, (self.play)(layer)).await {
                Ok(verdict) => verdict,
                Err(_) => no("it never ended"),
            }
        })
    }
}

/// Stops with `why` unless it is so.
fn ensure(it_is_so: bool, why: &str) -> Verdict {
    if it_is_so { Ok(()) } else { no(why) }
}

fn no(why: &str) -> Verdict {
    Err(Stop::DoesNotHold(why.to_owned()))
}

/// Stops where the layer lacks something.
fn applies(lacks: Option<&'static str>) -> Verdict {
    lacks.map_or(Ok(()), |why| Err(Stop::NotApplicable(why)))
}
