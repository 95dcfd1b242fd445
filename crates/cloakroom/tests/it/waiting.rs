//! Waiting: for the end of a session, and for what another handle of the request is writing.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use cloakroom::service::Cause;
use cloakroom::{Session, SessionId};
use cloakroom_conformance::{Fault, Gate, Operation, Target};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::support::{Shaky, shaky, shaky_with, soon};

/// A task that waits for the end of a session of `shaky`, as a socket would.
async fn waiting(shaky: &Shaky, subject: Option<&str>) -> (JoinHandle<()>, Option<SessionId>) {
    let (send, mut received) = mpsc::unbounded_channel();
    let handler = async move |session: Session| {
        let id = session.id();
        let task = tokio::spawn(async move { session.ended().await });
        send.send((task, id)).unwrap();
    };
    let browser = shaky.browser(Router::new().route("/", post(handler)));
    if let Some(subject) = subject {
        browser.login(subject).await;
    }
    browser.post("/").await;
    soon(received.recv()).await.unwrap()
}

async fn still_waits(task: &JoinHandle<()>) {
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!task.is_finished());
}

#[tokio::test]
async fn an_end_by_this_process_is_seen_at_once() {
    // The record is not looked at for an hour, so the word must come from the end itself.
    let shaky = shaky_with(|builder| builder.watch_every(Duration::from_secs(3600)));
    let (task, id) = waiting(&shaky, Some("alice")).await;
    still_waits(&task).await;
    shaky
        .sessions
        .end(id.unwrap(), Cause::Revoked)
        .await
        .unwrap();
    soon(task).await.unwrap();
}

#[tokio::test]
async fn an_end_by_another_process_is_seen_by_looking() {
    let shaky = shaky();
    let (task, id) = waiting(&shaky, Some("alice")).await;
    still_waits(&task).await;
    shaky.sessions.store().delete(id.unwrap()).await.unwrap();
    soon(task).await.unwrap();
}

#[tokio::test]
async fn a_deadline_is_an_end() {
    let shaky = shaky();
    let (task, _) = waiting(&shaky, Some("alice")).await;
    still_waits(&task).await;
    shaky.sessions.advance(Duration::from_secs(31 * 60));
    soon(task).await.unwrap();
}

#[tokio::test]
async fn a_store_out_of_reach_is_no_end() {
    let shaky = shaky();
    let (task, id) = waiting(&shaky, Some("alice")).await;
    shaky.fail(Operation::Load);
    still_waits(&task).await;
    shaky.faults.clear();
    still_waits(&task).await;
    shaky.sessions.end(id.unwrap(), Cause::Ended).await.unwrap();
    soon(task).await.unwrap();
}

#[tokio::test]
async fn without_a_session_there_is_nothing_to_wait_for() {
    let (task, id) = waiting(&shaky(), None).await;
    assert_eq!(id, None);
    soon(task).await.unwrap();
}

#[tokio::test]
async fn hooks_hear_of_every_end() {
    let (send, mut received) = mpsc::unbounded_channel();
    let shaky =
        shaky_with(|builder| builder.on_ended(move |ending| send.send(ending.clone()).unwrap()));
    let logout = async |session: Session| session.end().await;
    let browser = Arc::new(shaky.browser(Router::new().route("/", post(logout))));
    browser.login("alice").await;
    browser.post("/").await;
    let ending = soon(received.recv()).await.unwrap();
    assert_eq!(
        (ending.subject.unwrap().as_str(), ending.cause),
        ("alice", Cause::Ended)
    );
    browser.login("bob").await;
    shaky.sessions.advance(Duration::from_secs(31 * 60));
    shaky.sessions.sweep().await.unwrap();
    let ending = soon(received.recv()).await.unwrap();
    assert_eq!(
        (ending.subject.unwrap().as_str(), ending.cause),
        ("bob", Cause::Expired)
    );
}

#[tokio::test]
async fn a_read_waits_for_a_write_under_way_in_the_same_request() {
    // While it is written, a change stands neither in the draft nor in the record.
    let (shaky, gate) = (shaky(), Gate::new());
    let hold = Fault::hold(&gate).on(Target::Only(Operation::Create));
    shaky.faults.add(hold);
    let handler = async move |session: Session| {
        session.insert("n", &8_u64).await.unwrap();
        let writer = session.clone();
        let write = tokio::spawn(async move { writer.save().await });
        gate.arrived(1).await;
        let mut read = pin!(session.get::<u64>("n"));
        tokio::select! {
            biased;
            early = &mut read => panic!("read {early:?} in the middle of a write"),
            () = std::future::ready(()) => {}
        }
        gate.open();
        assert_eq!(soon(read).await.unwrap(), Some(8));
        soon(write).await.unwrap().unwrap();
    };
    let browser = shaky.browser(Router::new().route("/", post(handler)));
    assert_eq!(browser.post("/").await.status(), 200);
}
