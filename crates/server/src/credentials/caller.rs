//! Who calls the API.

use super::Scope;
use crate::{
    http::{Answer, Problem, Via, problems},
    state::AppState,
};
use axum::extract::FromRequestParts;
use cloakroom_core::{App, Record};
use http::{HeaderMap, HeaderValue, header, request::Parts};

/// The caller of a request: an API key, or whoever may use `control.sock`.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The key's name, or `control.sock`.
    pub name: String,
    /// The only application whose sessions it creates and sees.
    pub app: Option<App>,
    scopes: Vec<Scope>,
}

impl Caller {
    /// Refuses callers whose key lacks `scope`.
    ///
    /// # Errors
    /// 403 with the missing scope.
    pub fn require(&self, scope: Scope) -> Answer<()> {
        if self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin) {
            return Ok(());
        }
        tracing::info!(target: "audit", event = "denied", caller = self.name, %scope, "an API key lacks a scope");
        Err(Problem::new(&problems::FORBIDDEN).with("scope", scope.as_str()))
    }

    /// Refuses callers who may not manage the whole deployment: `admin`, and not for one application alone, since who may
    /// make keys could otherwise give himself all of them.
    ///
    /// # Errors
    /// 403 with the missing scope.
    pub fn require_operator(&self) -> Answer<()> {
        self.require(Scope::Admin)?;
        match &self.app {
            None => Ok(()),
            Some(app) => {
                let why = format!("the API key is for the application {app} alone");
                let problem = Problem::new(&problems::FORBIDDEN).detail(why);
                Err(problem.with("scope", Scope::Admin.as_str()))
            }
        }
    }

    /// Whether the caller sees this session: a key of one application sees that application's alone.
    #[must_use]
    pub fn sees(&self, record: &Record) -> bool {
        self.app.is_none() || self.app == record.security.app
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        if parts.extensions.get() == Some(&Via::Control) {
            return Ok(Self {
                name: "control.sock".to_owned(),
                app: None,
                scopes: Scope::ALL.to_vec(),
            });
        }
        let Some(text) = bearer(&parts.headers) else {
            return Err(unauthenticated("Bearer realm=\"cloakroom\""));
        };
        let now = state.sessions().now();
        match state.api_keys().verify(text, now).await {
            Ok(Some(found)) => Ok(Self {
                name: found.0.clone(),
                app: found.1.app.clone(),
                scopes: found.1.scopes.clone(),
            }),
            // RFC 6750 3.1
            Ok(None) => Err(unauthenticated(
                "Bearer realm=\"cloakroom\", error=\"invalid_token\"",
            )),
            Err(error) => Err(crate::api::store_problem(&error)),
        }
    }
}

/// The presented key; of several `Authorization` headers none counts.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| rest.trim_matches(' '))
}

fn unauthenticated(challenge: &'static str) -> Problem {
    Problem::new(&problems::UNAUTHENTICATED).header(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(challenge),
    )
}
