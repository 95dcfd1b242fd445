//! Random requests against a small model: what is stored afterwards is what the model says, whatever the order.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use cloakroom::core::store::Scope;
use cloakroom::{Session, TestSessions, session};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// What a handler does, one after the other.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Step {
    Insert(u8, u32),
    Remove(u8),
    Clear,
    Add(u8),
    Save,
    Login(u8),
    End,
}

/// A session as its users think of it.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    subject: Option<String>,
    data: BTreeMap<String, u32>,
}

fn name(n: u8) -> String {
    format!("n{}", n % 4)
}

impl Model {
    /// Carries out one request: `self` is what is stored, the answer what the handler sees last.
    fn request(&mut self, steps: &[Step], fails: bool) -> Self {
        let mut seen = self.clone();
        for step in steps {
            match step {
                Step::Insert(n, value) => drop(seen.data.insert(name(*n), *value)),
                Step::Remove(n) => drop(seen.data.remove(&name(*n))),
                Step::Clear => seen.data.clear(),
                Step::Add(n) => *seen.data.entry(name(*n)).or_default() += 1,
                Step::Login(n) => {
                    let who = format!("s{}", n % 2);
                    if seen.subject.as_ref().is_some_and(|before| *before != who) {
                        seen.data.clear();
                    }
                    seen.subject = Some(who);
                }
                Step::End => seen = Self::default(),
                Step::Save => {}
            }
            if matches!(step, Step::Add(_) | Step::Save | Step::End) {
                self.clone_from(&seen);
            }
        }
        if !fails {
            self.clone_from(&seen);
        }
        seen
    }
}

async fn seen(session: &Session) -> Result<Model, session::Error> {
    let data = session.data().await?;
    let values = data
        .iter()
        .map(|(name, text)| (name.to_owned(), text.parse().unwrap()));
    Ok(Model {
        subject: session.subject().map(|subject| subject.to_string()),
        data: values.collect(),
    })
}

async fn handler(
    State(last): State<std::sync::Arc<std::sync::Mutex<Model>>>,
    session: Session,
    Json((steps, fails)): Json<(Vec<Step>, bool)>,
) -> Result<StatusCode, session::Error> {
    for step in steps {
        match step {
            Step::Insert(n, value) => session.insert(name(n), &value).await?,
            Step::Remove(n) => session.remove(name(n)).await?,
            Step::Clear => session.clear().await?,
            Step::Add(n) => drop(
                session
                    .update(name(n), |old: Option<u32>| old.unwrap_or(0) + 1)
                    .await?,
            ),
            Step::Save => session.save().await?,
            Step::Login(n) => session.authenticate(format!("s{}", n % 2)).await?,
            Step::End => session.end().await?,
        }
    }
    let seen = seen(&session).await?;
    *last.lock().unwrap() = seen;
    Ok(if fails {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::OK
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<u8>(), any::<u32>().prop_map(|value| value / 2)).prop_map(|(n, value)| Step::Insert(n, value)),
        2 => any::<u8>().prop_map(Step::Remove),
        1 => Just(Step::Clear),
        3 => any::<u8>().prop_map(Step::Add),
        1 => Just(Step::Save),
        2 => any::<u8>().prop_map(Step::Login),
        1 => Just(Step::End),
    ]
}

async fn run(requests: Vec<(Vec<Step>, bool)>) {
    let sessions = TestSessions::new();
    let last = std::sync::Arc::new(std::sync::Mutex::new(Model::default()));
    let routes = Router::new()
        .route("/", post(handler))
        .with_state(last.clone())
        .layer(sessions.layer());
    let browser = sessions.client(routes);
    let mut model = Model::default();
    for (steps, fails) in requests {
        let expected = model.request(&steps, fails);
        let body = serde_json::to_string(&(&steps, fails)).unwrap();
        let request = axum::http::Request::post("/").header("content-type", "application/json");
        let answer = browser.send(request, body).await;
        assert_eq!(answer.status().is_success(), !fails, "{}", answer.text());
        assert_eq!(
            *last.lock().unwrap(),
            expected,
            "what the handler saw after {steps:?}"
        );
        let stored = sessions
            .list(Scope::Everything, None, 10)
            .await
            .unwrap()
            .records;
        assert!(stored.len() <= 1, "one browser has one session");
        let stored = stored.first().map(|record| Model {
            subject: record.security.subject.as_ref().map(ToString::to_string),
            data: record
                .data
                .iter()
                .map(|(name, text)| (name.to_owned(), text.parse().unwrap()))
                .collect(),
        });
        assert_eq!(
            stored.unwrap_or_default(),
            model,
            "what is stored after {steps:?}, failing: {fails}"
        );
    }
}

proptest! {
    #[test]
    fn requests_do_what_the_model_does(
        requests in proptest::collection::vec((proptest::collection::vec(step(), 0..8), prop::bool::weighted(0.2)), 1..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(requests));
    }
}
