//! OW-17, AV-7.1.2: how many sessions a person may have, and what happens at one more, at parallel logins on every store.

use super::client::{Api, answer};
use crate::{
    people::{cookie, login, opens},
    support::Setup,
};
use reqwest::{Method, header::COOKIE};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;

const MAX: usize = 3;
const AT_ONCE: usize = 12;
/// As many as one person may try at one place before anybody waits.
const FORMS_AT_ONCE: usize = 6;
const ADA: (&str, &str) = ("ada", "correct horse battery staple");

async fn on_each_store(on_full: &str) -> Vec<Arc<Api>> {
    let mut all = Vec::new();
    for args in [&[][..], &["--ephemeral"]] {
        let setup = args.iter().fold(Setup::new(), |setup, arg| setup.arg(arg));
        let setup = setup
            .env("CLOAKROOM_SESSION__MAX_PER_SUBJECT", MAX.to_string())
            .env("CLOAKROOM_SESSION__ON_FULL", on_full)
            .env("CLOAKROOM_ARGON2__MEMORY", "7MiB")
            .env("CLOAKROOM_ARGON2__ITERATIONS", "1");
        let api = Api::on(setup).await;
        let person = json!({ "name": ADA.0, "password": ADA.1 });
        api.post("/v1/users", &person).await;
        all.push(Arc::new(api));
    }
    all
}

/// Statuses of parallel logins by services, and the problems among the answers.
async fn by_services(api: &Arc<Api>) -> Vec<(u16, Value)> {
    let mut logins = JoinSet::new();
    for _ in 0..AT_ONCE {
        let api = Arc::clone(api);
        logins.spawn(async move {
            let body = json!({ "subject": "ada" });
            api.send(Method::POST, "/v1/sessions", &body).await
        });
    }
    logins.join_all().await
}

/// The same at the login page; with each status what the person reads.
async fn by_form(api: &Arc<Api>) -> Vec<(u16, String)> {
    let mut logins = JoinSet::new();
    for _ in 0..FORMS_AT_ONCE {
        let api = Arc::clone(api);
        logins.spawn(async move {
            let response = login(&api.server, ADA, "").send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        });
    }
    logins.join_all().await
}

async fn count(api: &Api) -> usize {
    let (status, listed) = api.get("/v1/sessions?subject=ada&limit=100").await;
    assert_eq!(status, 200);
    listed["sessions"].as_array().unwrap().len()
}

async fn end_all(api: &Api) {
    let request = api.request(Method::DELETE, "/v1/subjects/ada/sessions");
    assert_eq!(answer(request.send().await.unwrap()).await.0, 200);
}

/// `deny`: exactly so many get in; the others read why, as a problem or on the page, and nobody is put out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ow_17_deny_refuses_one_more_and_says_why() {
    for api in on_each_store("deny").await {
        let answers = by_services(&api).await;
        let begun = answers.iter().filter(|(status, _)| *status == 201).count();
        assert_eq!((begun, count(&api).await), (MAX, MAX));
        for (_, problem) in answers.iter().filter(|(status, _)| *status != 201) {
            assert_eq!(problem["status"], 409);
            assert_eq!(problem["type"], "urn:cloakroom:problem:too-many-sessions");
        }
        end_all(&api).await;
        let answers = by_form(&api).await;
        let begun = answers.iter().filter(|(status, _)| *status == 303).count();
        assert_eq!((begun, count(&api).await), (MAX, MAX));
        for (status, page) in answers.iter().filter(|(status, _)| *status != 303) {
            assert_eq!(*status, 409);
            assert!(
                page.contains("as many browsers as are allowed (3)"),
                "{page}"
            );
        }
    }
}

/// `deny` counts sessions, not logins: one more login in a browser that has a session is no further one.
#[tokio::test]
async fn ow_17_deny_lets_a_browser_log_in_again() {
    for api in on_each_store("deny").await {
        let mut held = String::new();
        for _ in 0..MAX {
            held = cookie(&login(&api.server, ADA, "").send().await.unwrap());
        }
        let again = login(&api.server, ADA, "").header(COOKIE, &held);
        let again = again.send().await.unwrap();
        assert_eq!((again.status().as_u16(), count(&api).await), (303, MAX));
        let fresh = cookie(&again);
        assert!(opens(&api.server, &fresh).await && !opens(&api.server, &held).await);
    }
}

/// `end-oldest`: everybody gets in, and the latest stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ow_17_end_oldest_lets_everybody_in_and_the_latest_stay() {
    for api in on_each_store("end-oldest").await {
        let first = cookie(&login(&api.server, ADA, "").send().await.unwrap());
        for (status, _) in by_services(&api).await {
            assert_eq!(status, 201);
        }
        assert_eq!(count(&api).await, MAX);
        assert!(!opens(&api.server, &first).await);
        for (status, page) in by_form(&api).await {
            assert_eq!(status, 303, "{page}");
        }
        assert_eq!(count(&api).await, MAX);
        let last = cookie(&login(&api.server, ADA, "").send().await.unwrap());
        assert!(opens(&api.server, &last).await && count(&api).await == MAX);
    }
}

/// `allow`: no limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ow_17_allow_counts_nothing() {
    for api in on_each_store("allow").await {
        for (status, _) in by_services(&api).await {
            assert_eq!(status, 201);
        }
        for (status, page) in by_form(&api).await {
            assert_eq!(status, 303, "{page}");
        }
        assert_eq!(count(&api).await, AT_ONCE + FORMS_AT_ONCE);
    }
}
