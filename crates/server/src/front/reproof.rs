//! Asking a signed-in person for the password again, before what a thief of the session must not be able to do.

use super::{client, pages, sign_in};
use crate::{
    directory::{Attempted, DeviceSecret, Network},
    http::Peer,
    state::AppState,
};
use axum::response::Response;
use cloakroom::{
    Proof, Timestamp,
    service::{Error, Started, Target},
};
use cloakroom_core::{Record, Subject};
use http::{HeaderMap, StatusCode, header};
use minijinja::context;
use std::time::Duration;
use zeroize::Zeroizing;

/// Where a request stands: what it comes with, and whose session it presents.
pub(super) struct Asking<'a> {
    pub(super) state: &'a AppState,
    pub(super) headers: &'a HeaderMap,
    pub(super) peer: Peer,
    pub(super) subject: &'a Subject,
    pub(super) own: &'a Record,
}

/// What is asked for, to be sent again with the password.
pub(super) struct Deed<'a> {
    /// The path below `base_path`.
    pub(super) action: &'a str,
    /// Which session, where it is about one.
    pub(super) session_id: Option<&'a str>,
    /// What it is, on the button.
    pub(super) called: &'a str,
}

/// A person who may go on.
pub(super) enum May {
    /// The last proof is recent enough.
    Already,
    /// The password was typed again: the session has a new token.
    Proven(Box<Again>),
}

/// What proving oneself again has changed.
pub(super) struct Again {
    started: Started,
    device: DeviceSecret,
}

impl May {
    /// Adds the cookies that the proof brought. They belong to every answer from then on: the old token opens nothing.
    pub(super) fn hand_out(&self, state: &AppState, mut response: Response) -> Response {
        if let Self::Proven(again) = self {
            sign_in::set_cookie(state, &mut response, &again.started);
            sign_in::set_device(state, &mut response, &again.device);
        }
        response
    }
}

/// Why a password was not taken.
pub(super) enum NotTaken {
    /// It is wrong; or whose it was cannot log in any more.
    Wrong,
    /// Too many attempts.
    Wait(Duration),
    /// Nothing was decided; this is the answer.
    Failed(Box<Response>),
}

impl NotTaken {
    /// What the person is told, unless the answer is a page of its own.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Wait(wait) => {
                let seconds = wait.as_secs().max(1);
                format!("Too many attempts. Please wait {seconds} seconds.")
            }
            Self::Wrong | Self::Failed(_) => "That is not your password.".to_owned(),
        }
    }

    /// The answer, with a form that is filled in again.
    pub(super) fn answer(self, form: impl FnOnce(StatusCode, &str) -> Response) -> Box<Response> {
        let told = self.told();
        Box::new(match self {
            Self::Failed(response) => return response,
            Self::Wrong => form(StatusCode::UNPROCESSABLE_ENTITY, &told),
            Self::Wait(wait) => {
                let mut response = form(StatusCode::TOO_MANY_REQUESTS, &told);
                let seconds = wait.as_secs().max(1).into();
                response.headers_mut().insert(header::RETRY_AFTER, seconds);
                response
            }
        })
    }
}

/// Whether the session's subject was proven no longer ago than this.
fn is_recent(record: &Record, within: Duration, now: Timestamp) -> bool {
    let proven = record.security.authenticated_at;
    proven.is_some_and(|at| now < at.plus(within))
}

impl Asking<'_> {
    /// Lets the person go on whose last proof is recent, or who has typed the password again (AV-7.5.2).
    ///
    /// # Errors
    /// The page that asks for the password, or says why that is not possible here.
    pub(super) async fn before(
        &self,
        deed: &Deed<'_>,
        password: Zeroizing<String>,
    ) -> Result<May, Box<Response>> {
        let (state, login) = (self.state, &self.state.config().login);
        let now = state.sessions().now();
        if is_recent(self.own, login.reauthenticate_after.get(), now) {
            return Ok(May::Already);
        }
        self.has_password_here().await?;
        if password.is_empty() {
            return Err(Box::new(self.page(deed, StatusCode::FORBIDDEN, None)));
        }
        let proven = self.prove(password).await;
        proven.map_err(|why| why.answer(|status, told| self.page(deed, status, Some(told))))
    }

    fn page(&self, deed: &Deed<'_>, status: StatusCode, wrong: Option<&str>) -> Response {
        let values = context! {
            subject => self.subject.as_str(), action => deed.action,
            session_id => deed.session_id, called => deed.called, wrong,
        };
        pages::page(self.state, status, "confirm.html", values)
    }

    /// Checks that it is the built-in directory that knows the person's password.
    ///
    /// # Errors
    /// The way to one's own login form, or a page.
    pub(super) async fn has_password_here(&self) -> Result<(), Box<Response>> {
        let state = self.state;
        if state.config().login.url.is_some() {
            let account = format!("{}/account", state.base_url());
            let mut form = state.login_url(Some(&account));
            // The word of OpenID Connect for: ask again, also whoever is signed in.
            form.push_str("&prompt=login");
            return Err(Box::new(pages::see_other(&form)));
        }
        match state.directory().get(self.subject.as_str()).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(Box::new(pages::message(
                state,
                StatusCode::FORBIDDEN,
                "Please log in again first",
                "Your login is too long ago for this, and your password is not kept here. Log out, log in again, and then try once more.",
            ))),
            Err(error) => Err(Box::new(pages::directory_failed(state, error))),
        }
    }

    /// Checks the person's password, by the same delays as a login. If it is right, the session has a new token and its
    /// old one opens nothing (AV-7.2.4, OW-10).
    pub(super) async fn prove(&self, password: Zeroizing<String>) -> Result<May, NotTaken> {
        // Before the proof: a revocation from here on wins.
        let admitted = self.state.sessions().admitted().await;
        let admitted = admitted.map_err(|error| self.failed(&error))?;
        let device = self.check(password).await?;
        let proof = Proof {
            subject: self.subject.clone(),
            acr: None,
            amr: vec!["pwd".into()],
        };
        let token = client::token(self.state, self.headers).ok_or(NotTaken::Wrong)?;
        let sessions = self.state.sessions();
        let done = sessions
            .authenticate(Target::Token(&token), proof, admitted)
            .await;
        match done {
            Ok(started) => {
                tracing::info!(target: "audit", event = "reproof", session_id = %self.own.id, subject = self.subject.as_str(), "password");
                Ok(May::Proven(Box::new(Again { started, device })))
            }
            // The session ended meanwhile.
            Err(Error::Ended(_) | Error::Refused(_)) => {
                let login = self.state.login_url(None);
                Err(NotTaken::Failed(Box::new(pages::see_other(&login))))
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Whether the password is right; what the device is known by from now on.
    async fn check(&self, password: Zeroizing<String>) -> Result<DeviceSecret, NotTaken> {
        let network = Network::of(client::address(self.state, self.headers, self.peer));
        let known = sign_in::device_of(self.state, self.headers);
        let directory = self.state.directory();
        let attempted = directory
            .confirm(self.subject.as_str(), password, network, known.as_ref())
            .await;
        match attempted {
            Ok(Attempted::Proven(proven)) => Ok(proven.device),
            Ok(Attempted::Refused) => {
                tracing::info!(target: "audit", event = "reproof_refused", session_id = %self.own.id, ?network, "a wrong password");
                Err(NotTaken::Wrong)
            }
            Ok(Attempted::Wait(wait)) => Err(NotTaken::Wait(wait)),
            Err(error) => {
                let page = pages::directory_failed(self.state, error);
                Err(NotTaken::Failed(Box::new(page)))
            }
        }
    }

    fn failed(&self, error: &Error) -> NotTaken {
        NotTaken::Failed(Box::new(pages::unavailable(self.state, error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cloakroom_core::{Policy, lifecycle};

    #[test]
    fn av_7_5_2_a_proof_is_recent_until_its_time_is_over() {
        let now = Timestamp::from_secs(1_000);
        let begin = lifecycle::Begin {
            proof: Some(Proof::of(Subject::new("ada").unwrap())),
            ..Default::default()
        };
        let (mut record, _) = lifecycle::begin(&begin, &Policy::default(), now, &[0; 32]);
        let within = Duration::from_secs(300);
        assert!(is_recent(
            &record,
            within,
            now.plus(Duration::from_millis(299_999))
        ));
        assert!(!is_recent(&record, within, now.plus(within)));
        assert!(!is_recent(&record, Duration::ZERO, now));
        record.security.authenticated_at = None;
        assert!(!is_recent(&record, within, now));
    }
}
