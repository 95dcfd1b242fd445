//! Ours.

use std::sync::Arc;
use std::time::Duration;

use ::cloakroom::session::Error;
use ::cloakroom::{CookieConfig, MIB, MemoryStore, Policy, Session, TestSessions};
use axum::response::IntoResponse as _;
use axum::routing::any;
use axum::{Extension, Router};
use cloakroom_conformance::{Fault as Struck, Faults, Faulty, Operation, Target};
use serde_json::Value;

use super::{Clock, Fault, Stage, StoreHandle, Wish};
use crate::script::{Failed, Handle, Script, play};

pub(super) fn stage(wish: &Wish) -> Stage {
    let faulty = Faulty::new(MemoryStore::reserve(16 * MIB));
    let reach = Reach {
        store: Arc::clone(faulty.inner()),
        faults: faulty.faults(),
    };
    let sessions = TestSessions::on(faulty, |builder| {
        let mut policy = Policy::default();
        policy.idle_timeout = wish.idle;
        policy.absolute_timeout = wish.absolute.unwrap_or(policy.absolute_timeout);
        let builder = builder.policy(policy);
        if wish.host_prefix {
            return builder;
        }
        let origin = "http://127.0.0.1:3000".parse().expect("a URL");
        builder.cookie(CookieConfig::for_origin(&origin).expect("a cookie for it"))
    });
    let handler =
        async |session: Session, Extension(script): Extension<Script>| play(session, script).await;
    Stage {
        router: Router::new()
            .route("/", any(handler))
            .layer(sessions.layer()),
        no_subject: None,
        no_absolute: None,
        clock: Clock::Moved(Box::new(move |time: Duration| sessions.advance(time))),
        store: Some(Box::new(reach)),
    }
}

struct Reach {
    store: Arc<MemoryStore>,
    faults: Faults,
}

impl StoreHandle for Reach {
    fn fail(&self, fault: Fault) {
        self.faults.clear();
        let target = match fault {
            Fault::Nothing => return,
            Fault::Loads => Target::Only(Operation::Load),
            Fault::Writes => Target::Writes,
            Fault::Sweeps => Target::Only(Operation::Sweep),
        };
        let kind = ::cloakroom::core::store::ErrorKind::Unavailable;
        self.faults.add(Struck::error(kind).on(target));
    }

    fn rows(&self) -> usize {
        self.store.stats().sessions
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error.into_response().status())
    }
}

impl Handle for Session {
    async fn get(&self, name: &str) -> Result<Option<Value>, Failed> {
        Ok(Session::get(self, name).await?)
    }

    async fn set(&self, name: &str, value: &Value) -> Result<(), Failed> {
        Ok(self.insert(name, value).await?)
    }

    async fn add(&self, name: &str) -> Result<(), Failed> {
        self.update(name, |number: Option<u64>| number.unwrap_or(0) + 1)
            .await?;
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<(), Failed> {
        Ok(Session::remove(self, name).await?)
    }

    async fn clear(&self) -> Result<(), Failed> {
        Ok(Session::clear(self).await?)
    }

    async fn renew(&self) -> Result<(), Failed> {
        Ok(Session::renew(self).await?)
    }

    async fn login(&self, subject: &'static str) -> Result<(), Failed> {
        Ok(self.authenticate(subject).await?)
    }

    async fn logout(&self) -> Result<(), Failed> {
        Ok(self.end().await?)
    }
}
