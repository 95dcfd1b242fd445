//! What a handler does, told by the scenario: the same words for every layer.

use std::future::Future;
use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::Value;
use tokio::sync::Semaphore;

/// One step of a handler.
#[derive(Clone)]
pub(crate) enum Op {
    /// Answers the value, or null.
    Get(&'static str),
    Set(&'static str, Value),
    /// Reads the number, and writes it one higher, by whatever the layer recommends.
    Add(&'static str),
    Remove(&'static str),
    Clear,
    /// A new token for the same session.
    Renew,
    /// The subject was just proven.
    Login(&'static str),
    Logout,
    /// Says that it came here, and waits.
    Meet(Gate),
    /// Answers 500.
    Fail,
}

/// A place where handlers wait for the scenario.
#[derive(Clone)]
pub(crate) struct Gate {
    arrived: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        let closed = || Arc::new(Semaphore::new(0));
        Self {
            arrived: closed(),
            open: closed(),
        }
    }

    async fn meet(&self) {
        self.arrived.add_permits(1);
        take(&self.open).await;
    }

    /// Until a handler waits here.
    pub(crate) async fn someone(&self) {
        take(&self.arrived).await;
    }

    /// Lets one handler through.
    pub(crate) fn open(&self) {
        self.open.add_permits(1);
    }
}

async fn take(semaphore: &Semaphore) {
    semaphore
        .acquire()
        .await
        .expect("it is never closed")
        .forget();
}

/// The steps, as a request carries them.
#[derive(Clone)]
pub(crate) struct Script(pub(crate) Arc<[Op]>);

/// A call of the session layer that failed, as the status that the application answers then.
pub(crate) struct Failed(pub(crate) StatusCode);

type Done<T> = Result<T, Failed>;

/// What every session layer can do, under its own names.
pub(crate) trait Handle: Sync {
    fn get(&self, name: &str) -> impl Future<Output = Done<Option<Value>>> + Send;
    fn set(&self, name: &str, value: &Value) -> impl Future<Output = Done<()>> + Send;
    fn add(&self, name: &str) -> impl Future<Output = Done<()>> + Send;
    fn remove(&self, name: &str) -> impl Future<Output = Done<()>> + Send;
    fn clear(&self) -> impl Future<Output = Done<()>> + Send;
    fn renew(&self) -> impl Future<Output = Done<()>> + Send;
    fn login(&self, subject: &'static str) -> impl Future<Output = Done<()>> + Send;
    fn logout(&self) -> impl Future<Output = Done<()>> + Send;
}

/// The handler: carries the steps out, and answers what was read.
pub(crate) async fn play<H: Handle>(handle: H, script: Script) -> Response {
    match steps(&handle, &script).await {
        Ok(values) => Json(values).into_response(),
        Err(Failed(status)) => status.into_response(),
    }
}

async fn steps<H: Handle>(handle: &H, script: &Script) -> Done<Vec<Option<Value>>> {
    let mut values = Vec::new();
    for op in script.0.iter() {
        match op {
            Op::Get(name) => values.push(handle.get(name).await?),
            Op::Set(name, value) => handle.set(name, value).await?,
            Op::Add(name) => handle.add(name).await?,
            Op::Remove(name) => handle.remove(name).await?,
            Op::Clear => handle.clear().await?,
            Op::Renew => handle.renew().await?,
            Op::Login(subject) => handle.login(subject).await?,
            Op::Logout => handle.logout().await?,
            Op::Meet(gate) => gate.meet().await,
            Op::Fail => return Err(Failed(StatusCode::INTERNAL_SERVER_ERROR)),
        }
    }
    Ok(values)
}
