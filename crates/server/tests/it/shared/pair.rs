//! Two servers on one store.

use super::place::Place;
use crate::{api::client::Api, support::Setup};

/// What opens the key ring: 32 bytes in base64.
pub(super) const SECRET: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
/// Another.
pub(super) const OTHER_SECRET: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

/// Two processes, each with a data directory of its own.
pub(super) struct Pair {
    pub(super) a: Api,
    pub(super) b: Api,
    pub(super) place: Place,
}

/// A node of that place, not yet started.
pub(super) fn node(place: &Place, secret: Option<&str>) -> Setup {
    // The weakest costs that are allowed: what is tested here is not how slow a hash is.
    let costs = "[argon2]\nmemory = \"7MiB\"\niterations = 1\n";
    let setup = Setup::new()
        .config(costs)
        .env("CLOAKROOM_STORE", &place.url);
    match secret {
        Some(secret) => setup.env("CLOAKROOM_KEYS__SECRET", secret),
        None => setup,
    }
}

impl Pair {
    pub(super) async fn start(place: Place) -> Self {
        let key = "one key for both servers of this test";
        let start = || {
            node(&place, Some(SECRET))
                .env("CLOAKROOM_BOOTSTRAP__API_KEY", key.replace(' ', "-"))
                .start()
        };
        // At the same time: whoever is first makes what is missing.
        let (a, b) = tokio::join!(start(), start());
        let api = |server| Api {
            server,
            key: key.replace(' ', "-"),
        };
        Self {
            a: api(a),
            b: api(b),
            place,
        }
    }

    /// One for each kind of store.
    pub(super) async fn each() -> Vec<Self> {
        let mut pairs = Vec::new();
        for place in super::place::each() {
            pairs.push(Self::start(place).await);
        }
        pairs
    }
}
