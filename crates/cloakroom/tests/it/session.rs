//! What handlers can do with a session.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use cloakroom::core::store::Scope;
use cloakroom::{Key, Proof, Session, SessionToken, Subject, TestSessions, session};
use cloakroom_conformance::{Fault, Gate, Operation, Target};
use tokio::sync::Mutex;

use crate::support::{shaky, soon};

type Outcome<T> = Result<T, session::Error>;

const CART: Key<Vec<String>> = Key::new("cart");

/// A client whose every POST hands the session to the test itself.
struct Lent {
    sessions: TestSessions,
    browser: cloakroom::testing::Client<Router>,
    session: Arc<Mutex<Option<Session>>>,
}

fn lent() -> Lent {
    let sessions = TestSessions::new();
    let session = Arc::new(Mutex::new(None));
    let keep = async |State(place): State<Arc<Mutex<Option<Session>>>>, session: Session| {
        *place.lock().await = Some(session);
    };
    let routes = Router::new()
        .route("/", post(keep))
        .with_state(Arc::clone(&session))
        .layer(sessions.layer());
    Lent {
        browser: sessions.client(routes),
        sessions,
        session,
    }
}

impl Lent {
    /// A session whose response has been sent.
    async fn late(&self) -> Session {
        self.browser.post("/").await;
        self.session.lock().await.take().unwrap()
    }
}

#[tokio::test]
async fn a_handler_sees_its_own_changes() {
    let shaky = shaky();
    let handler = async |session: Session| -> Outcome<String> {
        session.insert(CART, &vec!["coat".to_owned()]).await?;
        session.insert("greeting", "hello").await?;
        session.insert(String::from("gone"), &1).await?;
        session.remove("gone").await?;
        let cart = session.get(CART).await?.unwrap_or_default();
        let (greeting, gone) = (
            session.get::<String>("greeting").await?,
            session.get::<u8>("gone").await?,
        );
        session.clear().await?;
        let cleared = session.get(&CART).await?;
        session.insert("left", &true).await?;
        Ok(format!("{cart:?} {greeting:?} {gone:?} {cleared:?}"))
    };
    let names =
        async |session: Session| -> Outcome<String> { Ok(format!("{:?}", session.data().await?)) };
    let browser = shaky.browser(Router::new().route("/", post(handler).get(names)));
    let expected = "[\"coat\"] Some(\"hello\") None None";
    assert_eq!(browser.post("/").await.text(), expected);
    assert_eq!(browser.get("/").await.text(), "{\"left\"}");
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_updates_lose_none_and_answer_each_its_own() {
    let sessions = TestSessions::new();
    let count = async |session: Session| -> Outcome<String> {
        let n = session
            .update("n", |n: Option<u64>| n.unwrap_or(0) + 1)
            .await?;
        Ok(n.to_string())
    };
    let browser = Arc::new(
        sessions.client(
            Router::new()
                .route("/", post(count))
                .layer(sessions.layer()),
        ),
    );
    browser.login("alice").await;
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let browser = Arc::clone(&browser);
            tokio::spawn(async move { browser.post("/").await.text().parse::<u64>().unwrap() })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(soon(task).await.unwrap());
    }
    answers.sort_unstable();
    assert_eq!(answers, (1..=64).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_update_begins_a_session_and_takes_what_is_pending_along() {
    let shaky = shaky();
    let handler = async |session: Session| -> Outcome<String> {
        session.insert("n", &40).await?;
        let before = (session.id(), session.is_new());
        let (a, b) = tokio::join!(
            session.update("n", |n: Option<u64>| n.unwrap_or(0) + 1),
            session.update("n", |n: Option<u64>| n.unwrap_or(0) + 1),
        );
        assert!(before == (None, true) && session.is_new() && session.id().is_some());
        Ok(format!("{} {}", a?, b?))
    };
    let read = async |session: Session| -> Outcome<String> {
        Ok(format!(
            "{:?} {}",
            session.get::<u64>("n").await?,
            session.is_new()
        ))
    };
    let browser = shaky.browser(Router::new().route("/", post(handler).get(read)));
    assert_eq!(browser.post("/").await.text(), "41 42");
    assert_eq!(browser.get("/").await.text(), "Some(42) false");
    // Both together began one session.
    assert_eq!(shaky.faults.calls(Operation::Create), 1);
}

#[tokio::test]
async fn the_end_is_at_once_and_what_follows_is_another_session() {
    let shaky = shaky();
    let sessions = shaky.sessions.clone();
    let handler = async move |session: Session| -> Outcome<()> {
        let id = session.id().unwrap();
        session.insert("lost", &1).await?;
        session.end().await?;
        assert!(sessions.get(id).await.unwrap().is_none());
        assert_eq!(
            (session.id(), session.subject(), session.is_new()),
            (None, None, true)
        );
        assert_eq!(session.get::<u64>("lost").await?, None);
        session.flash("you are signed out").await
    };
    let flashes = async |session: Session| -> Outcome<String> {
        Ok(format!(
            "{:?} {:?}",
            session.subject(),
            session.take_flashes::<String>().await?
        ))
    };
    let browser = shaky.browser(Router::new().route("/", post(handler).get(flashes)));
    browser.login("alice").await;
    let before: SessionToken = browser.session_cookie().unwrap().parse().unwrap();
    let answer = browser.post("/").await;
    assert_eq!(answer.set_cookies().len(), 1);
    let after: SessionToken = browser.session_cookie().unwrap().parse().unwrap();
    assert_ne!(before.id(), after.id());
    assert_eq!(
        browser.get("/").await.text(),
        "None [\"you are signed out\"]"
    );
    assert_eq!(browser.get("/").await.text(), "None []");
}

#[tokio::test]
async fn flashes_keep_their_order_and_survive_a_5xx() {
    let shaky = shaky();
    let add = async |session: Session| -> Outcome<()> {
        session.flash("one").await?;
        session.flash("two").await
    };
    let fail = async |session: Session| {
        let taken = session.take_flashes::<String>().await.unwrap();
        (axum::http::StatusCode::SERVICE_UNAVAILABLE, taken.join(" "))
    };
    let take = async |session: Session| -> Outcome<String> {
        let taken = session.take_flashes::<String>().await?.join(" ");
        assert!(session.take_flashes::<String>().await?.is_empty());
        Ok(taken)
    };
    let browser = shaky.browser(
        Router::new()
            .route("/", post(add).get(take))
            .route("/fail", get(fail)),
    );
    browser.post("/").await;
    shaky.sessions.advance(Duration::from_secs(1));
    browser.post("/").await;
    for path in ["/fail", "/"] {
        assert_eq!(browser.get(path).await.text(), "one two one two");
    }
    assert_eq!(browser.get("/").await.text(), "");
}

#[tokio::test]
async fn a_proof_is_kept_whole() {
    let shaky = shaky();
    let login = async |session: Session| -> Outcome<()> {
        let proof = Proof {
            acr: Some("mfa".into()),
            amr: vec!["otp".into()],
            ..Proof::of(Subject::new("alice")?)
        };
        session.authenticate_with(proof).await?;
        assert_eq!(session.subject().unwrap().as_str(), "alice");
        // A weaker wish does not weaken a stronger one.
        session.renew().await
    };
    let who =
        async |who: cloakroom::Principal| format!("{} {:?} {:?}", who.subject, who.acr, who.amr);
    let browser = shaky.browser(Router::new().route("/", post(login).get(who)));
    browser.post("/").await;
    assert_eq!(
        browser.get("/").await.text(),
        "alice Some(\"mfa\") [\"otp\"]"
    );
}

#[tokio::test]
async fn a_subject_that_cannot_be_one_is_an_error() {
    let lent = lent();
    let session = lent.late().await;
    for wrong in [String::new(), "a\nb".into(), "x".repeat(256)] {
        assert!(matches!(
            session.authenticate(wrong).await,
            Err(session::Error::Subject(_))
        ));
    }
}

#[tokio::test]
async fn a_replaced_token_dies_and_a_renewed_one_lives_until_the_new_one_is_seen() {
    // OW-10, OW-13
    let shaky = shaky();
    let routes = Router::new()
        .route(
            "/renew",
            post(async |session: Session| session.renew().await),
        )
        .route(
            "/replace",
            post(async |session: Session| session.replace_token().await),
        )
        .route(
            "/",
            get(async |who: cloakroom::Principal| who.subject.to_string()),
        );
    let browser = shaky.browser(routes);
    browser.login("alice").await;
    let lost = browser.clone();
    assert_eq!(browser.post("/renew").await.status(), 200);
    assert_ne!(browser.session_cookie(), lost.session_cookie());
    // Its response was lost: the old one still works, and asks for the same again.
    let late = lost.clone();
    assert_eq!(late.post("/renew").await.status(), 200);
    assert_eq!(late.session_cookie(), browser.session_cookie());
    assert_eq!(lost.get("/").await.status(), 200);
    assert_eq!(browser.get("/").await.status(), 200);
    shaky.sessions.advance(Duration::from_secs(11));
    assert_eq!(lost.get("/").await.status(), 401);

    let old = browser.clone();
    assert_eq!(browser.post("/replace").await.status(), 200);
    assert_eq!(old.get("/").await.status(), 401);
    assert_eq!(browser.get("/").await.status(), 200);
}

#[tokio::test]
async fn a_login_that_races_with_a_revocation_loses() {
    let shaky = shaky();
    let sessions = shaky.sessions.clone();
    let login = async move |session: Session| -> Outcome<()> {
        // While the password is looked at, somebody revokes all sessions of the subject.
        let scope = Scope::Subject {
            app: None,
            subject: Subject::new("alice")?,
        };
        sessions.revoke_all(scope, None).await.unwrap();
        session.authenticate("alice").await
    };
    let browser = shaky.browser(Router::new().route("/", post(login)));
    let answer = browser.post("/").await;
    assert_eq!(
        (answer.status().as_u16(), answer.set_cookies()),
        (401, vec![])
    );
}

#[tokio::test]
async fn a_repeated_proof_that_races_with_a_revocation_loses() {
    let shaky = shaky();
    let sessions = shaky.sessions.clone();
    let again = async move |session: Session| -> Outcome<()> {
        let scope = Scope::Subject {
            app: None,
            subject: Subject::new("alice")?,
        };
        sessions.revoke_all(scope, None).await.unwrap();
        session.authenticate("alice").await
    };
    let browser = shaky.browser(Router::new().route("/", post(again)));
    browser.login("alice").await;
    let answer = browser.post("/").await;
    assert_eq!(answer.status(), 401);
    assert!(
        shaky
            .sessions
            .list(Scope::Everything, None, 10)
            .await
            .unwrap()
            .records
            .is_empty()
    );
}

#[tokio::test]
async fn data_beyond_the_limits_is_refused_whole() {
    let shaky = shaky();
    let too_much = async |session: Session| -> Outcome<()> {
        session.insert("small", &1).await?;
        session.insert("big", &"x".repeat(65 * 1024)).await
    };
    let bad_name = async |session: Session| session.insert("", &1).await;
    let names =
        async |session: Session| -> Outcome<String> { Ok(format!("{:?}", session.data().await?)) };
    let browser = shaky.browser(
        Router::new()
            .route("/", post(too_much).get(names))
            .route("/name", post(bad_name)),
    );
    for path in ["/", "/name"] {
        let answer = browser.post(path).await;
        assert_eq!(
            (answer.status().as_u16(), answer.set_cookies()),
            (500, vec![]),
            "{path}"
        );
    }
    assert_eq!(browser.get("/").await.text(), "{}");
}

#[tokio::test]
async fn a_cancelled_save_loses_nothing() {
    let shaky = shaky();
    let gate = Gate::new();
    shaky.faults.add(
        Fault::hold(&gate)
            .on(Target::Only(Operation::Create))
            .times(1),
    );
    let handler = async |session: Session| -> Outcome<()> {
        session.insert("a", &1).await?;
        let saved = tokio::time::timeout(Duration::from_millis(10), session.save()).await;
        assert!(saved.is_err());
        session.insert("b", &2).await
    };
    let names =
        async |session: Session| -> Outcome<String> { Ok(format!("{:?}", session.data().await?)) };
    let browser = shaky.browser(Router::new().route("/", post(handler).get(names)));
    assert_eq!(browser.post("/").await.status(), 200);
    assert_eq!(browser.get("/").await.text(), "{\"a\", \"b\"}");
}

#[tokio::test]
async fn after_the_response_data_can_be_saved_but_no_token_changed() {
    let lent = lent();
    let nobody = lent.late().await;
    nobody.insert("n", &1).await.unwrap();
    assert!(matches!(nobody.save().await, Err(session::Error::TooLate)));
    assert!(matches!(
        nobody.authenticate("alice").await,
        Err(session::Error::TooLate)
    ));

    lent.browser.login("alice").await;
    let session = lent.late().await;
    session.insert("n", &1).await.unwrap();
    session.save().await.unwrap();
    assert_eq!(
        session
            .update("n", |n: Option<u64>| n.unwrap_or(0) + 1)
            .await
            .unwrap(),
        2
    );
    assert!(matches!(
        session.renew().await,
        Err(session::Error::TooLate)
    ));
    session.end().await.unwrap();
    assert!(
        lent.sessions
            .list(Scope::Everything, None, 10)
            .await
            .unwrap()
            .records
            .is_empty()
    );
}

#[tokio::test]
async fn deadlines_are_told() {
    let lent = lent();
    lent.browser.login("alice").await;
    let session = lent.late().await;
    let now = lent.sessions.now();
    assert_eq!(
        session.expires_at(),
        Some(now.plus(Duration::from_secs(12 * 3600)))
    );
    assert_eq!(
        session.idle_expires_at(),
        Some(now.plus(Duration::from_secs(30 * 60)))
    );
    assert!(!format!("{session:?}").contains(&lent.browser.session_cookie().unwrap()[22..]));
}
