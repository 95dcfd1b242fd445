//! axum_session without a database, as its documentation recommends.

use ::axum_session::{SessionConfig, SessionLayer, SessionNullPool, SessionStore};
use axum::routing::any;
use axum::{Extension, Router};
use serde_json::Value;

use super::{Clock, Stage, Wish};
use crate::script::{Failed, Handle, Script, play};

type Session = ::axum_session::Session<SessionNullPool>;

pub(super) async fn stage(wish: &Wish) -> Stage {
    let lifetime = wish.idle.try_into().expect("a duration");
    let config = SessionConfig::default()
        .with_lifetime(lifetime)
        .with_memory_lifetime(lifetime)
        .with_secure(wish.host_prefix)
        .with_prefix_with_host(wish.host_prefix);
    let store = SessionStore::<SessionNullPool>::new(None, config).await;
    let store = store.expect("there is no database that could fail");
    let handler =
        async |session: Session, Extension(script): Extension<Script>| play(session, script).await;
    Stage {
        router: Router::new()
            .route("/", any(handler))
            .layer(SessionLayer::new(store)),
        no_subject: Some("it has no notion of a subject"),
        no_absolute: Some("it has no limit beside that of inactivity"),
        clock: Clock::Real,
        store: None,
    }
}

impl Handle for Session {
    async fn get(&self, name: &str) -> Result<Option<Value>, Failed> {
        Ok(Session::get(self, name))
    }

    async fn set(&self, name: &str, value: &Value) -> Result<(), Failed> {
        Session::set(self, name, value);
        Ok(())
    }

    async fn add(&self, name: &str) -> Result<(), Failed> {
        let number: Option<u64> = Session::get(self, name);
        Session::set(self, name, number.unwrap_or(0) + 1);
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<(), Failed> {
        Session::remove(self, name);
        Ok(())
    }

    async fn clear(&self) -> Result<(), Failed> {
        Session::clear(self);
        Ok(())
    }

    async fn renew(&self) -> Result<(), Failed> {
        Session::renew(self);
        Ok(())
    }

    async fn login(&self, subject: &'static str) -> Result<(), Failed> {
        Session::renew(self);
        Session::set(self, "subject", subject);
        Ok(())
    }

    async fn logout(&self) -> Result<(), Failed> {
        self.destroy();
        Ok(())
    }
}
