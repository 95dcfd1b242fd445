//! kill -9 at random moments under 32 writing clients: what was acknowledged is there.

use super::client::{Api, rounds, text};
use crate::support::Setup;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use reqwest::Method;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// What a client knows of its session, by acknowledged answers alone.
#[derive(Debug, Clone)]
struct Known {
    id: String,
    token: String,
    /// The highest acknowledged value of `n`.
    n: u64,
    ended: bool,
    /// Asked to end without an answer: either is right.
    unsure: bool,
    dead: Vec<String>,
    /// Renewed and not yet seen by the server: they open it, too.
    still: Vec<String>,
    subject: String,
    is_taken: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_kill_9_loses_nothing_acknowledged() {
    let seed = std::env::var("CLOAKROOM_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(7);
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    // Of any number of sessions of a subject none ends for another.
    let setup = Setup::new().env("CLOAKROOM_SESSION__ON_FULL", "allow");
    let mut api = Arc::new(Api::on(setup).await);
    let mut acknowledged = 0;
    for _ in 0..rounds(3, 200) {
        let mut clients = JoinSet::new();
        for client in 0..32 {
            let (api, seed) = (Arc::clone(&api), random.random());
            clients.spawn(async move { write_until_killed(&api, client, seed).await });
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(100..600))).await;
        let pid = rustix::process::Pid::from_raw(i32::try_from(api.server.pid()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        let known = clients.join_all().await.concat();
        let Api { server, key } = Arc::into_inner(api).unwrap();
        api = Arc::new(Api {
            server: server.restart().await,
            key,
        });
        for one in &known {
            check(&api, one).await;
        }
        acknowledged += known.iter().map(|known| known.n).sum::<u64>();
    }
    println!("{acknowledged} acknowledged writes were there");
    assert!(acknowledged > 0, "nothing was written before the kills");
}

async fn write_until_killed(api: &Api, client: usize, seed: u64) -> Vec<Known> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut all = Vec::new();
    while let Some(mut known) = begin(api, format!("s{client}-{}", random.random::<u64>())).await {
        let mut alive = true;
        while alive && !known.ended && known.n < 20 {
            alive = step(api, &mut known, &mut random).await;
        }
        all.push(known);
        if !alive {
            break;
        }
    }
    all
}

/// A session of a subject of its own.
async fn begin(api: &Api, subject: String) -> Option<Known> {
    let body = json!({"subject": subject});
    let made = send(api, Method::POST, "/v1/sessions", body).await?;
    Some(Known {
        id: text(&made, "session_id"),
        token: text(&made, "session_token"),
        n: 0,
        ended: false,
        unsure: false,
        dead: Vec::new(),
        still: Vec::new(),
        subject,
        is_taken: false,
    })
}

/// One write; false where the server is gone.
async fn step(api: &Api, known: &mut Known, random: &mut StdRng) -> bool {
    let path = format!("/v1/sessions/{}", known.id);
    match random.random_range(0..12) {
        10 => renew(api, known, &path).await,
        11 => revoke(api, known).await,
        0 => {
            known.unsure = true;
            let done = send(api, Method::DELETE, &path, json!({})).await.is_some();
            known.ended = done;
            done
        }
        1 | 2 => {
            let asked = json!({"subject": "other"});
            known.unsure = true;
            let Some(proven) =
                send(api, Method::POST, &format!("{path}/authenticate"), asked).await
            else {
                return false;
            };
            known.unsure = false;
            known.subject = "other".to_owned();
            known.dead.append(&mut known.still);
            known.dead.push(std::mem::replace(
                &mut known.token,
                text(&proven, "session_token"),
            ));
            // Another subject took the session over, once; his data begins anew.
            if !known.is_taken {
                known.n = 0;
            }
            known.is_taken = true;
            true
        }
        _ => {
            let next = known.n + 1;
            let done = send(api, Method::PATCH, &path, json!({"set": {"n": next}}))
                .await
                .is_some();
            known.n = if done { next } else { known.n };
            done
        }
    }
}

/// A renewal: the new token works, and the old one until the new one was seen.
async fn renew(api: &Api, known: &mut Known, path: &str) -> bool {
    let path = format!("{path}/renew");
    let Some(renewed) = send(api, Method::POST, &path, json!({})).await else {
        return false;
    };
    let new = text(&renewed, "session_token");
    let old = std::mem::replace(&mut known.token, new);
    if old != known.token {
        known.still.push(old);
    }
    true
}

/// Ends all sessions of its subject; only of one that no other client shares.
async fn revoke(api: &Api, known: &mut Known) -> bool {
    if known.is_taken {
        return true;
    }
    let path = format!("/v1/subjects/{}/sessions", known.subject);
    known.unsure = true;
    known.ended = send(api, Method::DELETE, &path, json!({})).await.is_some();
    known.ended
}

async fn send(api: &Api, method: Method, path: &str, body: Value) -> Option<Value> {
    let response = api.request(method, path).json(&body).send().await.ok()?;
    let status = response.status();
    // A connection that breaks while the body is read is no acknowledgement either.
    let body = response.bytes().await.ok()?;
    assert!(status.is_success(), "{path}: {status} {body:?}");
    Some(serde_json::from_slice(&body).unwrap_or(Value::Null))
}

async fn check(api: &Api, known: &Known) {
    for dead in &known.dead {
        assert!(
            !api.is_active(dead).await,
            "a replaced token came back: {known:?}"
        );
    }
    let found = api.verify(&known.token).await;
    if known.ended {
        assert_eq!(
            found["active"], false,
            "an ended session came back: {known:?}"
        );
    } else if !known.unsure {
        assert_eq!(
            found["active"], true,
            "an acknowledged session is lost: {known:?}"
        );
        let n = found["data"]["n"].as_u64().unwrap_or(0);
        assert!(
            n >= known.n,
            "an acknowledged write is lost: {n} of {known:?}"
        );
    }
}
