//! tower-sessions, as its documentation recommends.

use std::time::{Duration, SystemTime};

use ::tower_sessions::cookie::time::OffsetDateTime;
use ::tower_sessions::session::Error;
use ::tower_sessions::{Expiry, Session, SessionManagerLayer};
use axum::routing::any;
use axum::{Extension, Router};
use http::StatusCode;
use serde_json::Value;

use super::faulty::FaultyStore;
use super::{Clock, Stage, Wish};
use crate::script::{Failed, Handle, Script, play};

/// A session with the moment at which the application lets it end, whatever happens.
struct Limited {
    session: Session,
    absolute: Option<Duration>,
}

pub(super) fn stage(wish: &Wish) -> Stage {
    let store = FaultyStore::default();
    let idle = wish.idle.try_into().expect("a duration");
    let mut layer = SessionManagerLayer::new(store.clone())
        .with_expiry(Expiry::OnInactivity(idle))
        .with_secure(wish.host_prefix);
    if wish.host_prefix {
        layer = layer.with_name("__Host-id").with_path("/");
    }
    let absolute = wish.absolute;
    let handler = async move |session: Session, Extension(script): Extension<Script>| {
        play(Limited { session, absolute }, script).await
    };
    Stage {
        router: Router::new().route("/", any(handler)).layer(layer),
        no_subject: Some("it has no notion of a subject"),
        no_absolute: None,
        clock: Clock::Real,
        store: Some(Box::new(store)),
    }
}

impl From<Error> for Failed {
    fn from(_: Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl Handle for Limited {
    async fn get(&self, name: &str) -> Result<Option<Value>, Failed> {
        Ok(self.session.get_value(name).await?)
    }

    async fn set(&self, name: &str, value: &Value) -> Result<(), Failed> {
        Ok(self.session.insert(name, value).await?)
    }

    async fn add(&self, name: &str) -> Result<(), Failed> {
        let number: Option<u64> = self.session.get(name).await?;
        Ok(self.session.insert(name, number.unwrap_or(0) + 1).await?)
    }

    async fn remove(&self, name: &str) -> Result<(), Failed> {
        self.session.remove_value(name).await?;
        Ok(())
    }

    async fn clear(&self) -> Result<(), Failed> {
        self.session.clear().await;
        Ok(())
    }

    async fn renew(&self) -> Result<(), Failed> {
        Ok(self.session.cycle_id().await?)
    }

    async fn login(&self, subject: &'static str) -> Result<(), Failed> {
        self.session.cycle_id().await?;
        self.session.insert("subject", subject).await?;
        if let Some(absolute) = self.absolute {
            let at = OffsetDateTime::from(SystemTime::now() + absolute);
            self.session.set_expiry(Some(Expiry::AtDateTime(at)));
        }
        Ok(())
    }

    async fn logout(&self) -> Result<(), Failed> {
        Ok(self.session.flush().await?)
    }
}
