//! `cloakroom migrate`, from the default store to each one that can be shared.

use super::{
    pair::{SECRET, node},
    place,
};
use crate::{
    api::client::Api,
    people::{ADA, add_user, logged_in, opens},
    support::Setup,
};
use serde_json::{Value, json};

const FROM: &str = "embedded:cloakroom-data/store";

fn run(setup: &Setup, args: &[&str]) -> Value {
    let output = setup.run(args);
    assert!(output.status.success(), "{args:?}: {output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn nobody_is_logged_out_and_nobody_comes_back() {
    for place in place::each() {
        let mut api = Api::on(node_at_first()).await;
        add_user(&api.server, ADA, &[]);
        let cookie = logged_in(&api.server, ADA).await;
        let (_, anonymous) = begin(&api).await;
        let (ended, gone) = api.login("bob").await;
        let (late, token) = api.login("carol").await;
        assert_eq!(api.delete(&format!("/v1/sessions/{ended}")).await.0, 204);
        let setup = api.server.setup().clone();
        // It holds its files alone; who would copy them tells so.
        let output = setup.run(&["migrate", "--from", FROM, "--to", &place.url]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(api.server.terminate().success());

        let args = ["migrate", "--from", FROM, "--to", &place.url, "--json"];
        let said = run(&setup, &args);
        assert_eq!(said["sessions"]["copied"], 3, "{said}");
        assert_eq!(said["verified"], true, "{said}");
        let said = run(&setup, &args);
        assert_eq!(said["sessions"]["copied"], 0, "{said}");

        let key = api.key.clone();
        let new = Api {
            server: node(&place, Some(SECRET)).start().await,
            key,
        };
        assert!(opens(&new.server, &cookie).await, "{}", place.url);
        assert!(new.is_active(&anonymous).await && new.is_active(&token).await);
        assert!(!new.is_active(&gone).await);
        logged_in(&new.server, ADA).await;
        // What ends in the new store stays so, also where it is copied once more beside the running server.
        assert_eq!(new.delete(&format!("/v1/sessions/{late}")).await.0, 204);
        let said = run(&setup, &args);
        assert_eq!(said["sessions"]["ended_in_new"], 1, "{said}");
        assert!(!new.is_active(&token).await && new.is_active(&anonymous).await);
    }
}

fn node_at_first() -> Setup {
    Setup::new().config("[argon2]\nmemory = \"7MiB\"\niterations = 1\n")
}

async fn begin(api: &Api) -> (String, String) {
    let made = api.post("/v1/sessions", &json!({"data": {"n": 1}})).await;
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("session_id"), text("session_token"))
}

#[test]
fn wrong_use_is_told() {
    let setup = Setup::new();
    for (args, word) in [
        (&["migrate"][..], "--to"),
        (&["migrate", "--to", "etcd://x"], "no store called"),
        (
            &["migrate", "--from", "memory:?x=1", "--to", "memory:"],
            "parameter",
        ),
        (
            &["migrate", "--to", "memory:", "--to-file", "x"],
            "cannot be used with",
        ),
    ] {
        let output = setup.run(args);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(word), "{told}");
    }
    let output = setup.run(&["migrate", "--from", "memory:", "--to", "memory:"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!setup.data_dir().exists());
}
