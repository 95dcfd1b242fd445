//! The pages: templates in the binary, no script, one style sheet.

use crate::{
    api, directory,
    http::{Problem, no_store},
    state::AppState,
};
use axum::{
    extract::State,
    response::{Html, IntoResponse, Response},
};
use cloakroom::service::Error;
use cloakroom_core::store::ErrorKind;
use http::{HeaderValue, StatusCode, header};
use minijinja::{Environment, Value, context};

/// Forms post to ourselves and then lead to other hosts of ours, which `form-action` would have to name one by one; the
/// guard against forms of others is [`super::same_site_only`].
const POLICY: &str =
    "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The templates.
pub struct Pages(Environment<'static>);

impl Default for Pages {
    fn default() -> Self {
        let mut environment = Environment::new();
        for (name, text) in [
            ("base.html", include_str!("../../templates/base.html")),
            ("login.html", include_str!("../../templates/login.html")),
            ("account.html", include_str!("../../templates/account.html")),
            ("confirm.html", include_str!("../../templates/confirm.html")),
            (
                "password.html",
                include_str!("../../templates/password.html"),
            ),
            ("message.html", include_str!("../../templates/message.html")),
        ] {
            // A template that cannot be read fails in the test below, and its page answers 500.
            if let Err(error) = environment.add_template(name, text) {
                tracing::error!(name, %error, "a template cannot be read");
            }
        }
        Self(environment)
    }
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pages")
    }
}

/// A page, for this reader alone.
pub(super) fn page(state: &AppState, status: StatusCode, name: &str, values: Value) -> Response {
    let base = context! { base => state.config().server.base_path.as_str() };
    let rendered = state
        .pages()
        .0
        .get_template(name)
        .and_then(|template| template.render(context! { ..values, ..base }));
    let mut response = match rendered {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(name, %error, "a page could not be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    };
    let headers = response.headers_mut();
    no_store(headers);
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(
        header::VARY,
        HeaderValue::from_static("Cookie, Sec-Fetch-Site, Origin"),
    );
    response
}

/// A page with a heading and a sentence.
pub(super) fn message(state: &AppState, status: StatusCode, title: &str, text: &str) -> Response {
    page(state, status, "message.html", context! { title, text })
}

/// The same, and one way on from there: its address and what it is called.
pub(super) fn message_with_link(
    state: &AppState,
    status: StatusCode,
    title: &str,
    text: &str,
    (link, link_text): (&str, &str),
) -> Response {
    let values = context! { title, text, link, link_text };
    page(state, status, "message.html", values)
}

/// The page for a store that is out of reach, or full: never one that looks like a logout.
pub(super) fn unavailable(state: &AppState, error: &Error) -> Response {
    if let Error::Store(error) = error {
        api::note_store_error(error);
    }
    if is_full(error) {
        return full(state);
    }
    tracing::error!(%error, source = ?std::error::Error::source(error).map(ToString::to_string), "a page could not be answered");
    let mut response = message(
        state,
        StatusCode::SERVICE_UNAVAILABLE,
        "Out of order for a moment",
        "The server cannot reach its store. You are not logged out. Please try again.",
    );
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

/// Whether a session could not begin because there is no place for one more.
pub(super) fn is_full(error: &Error) -> bool {
    matches!(error, Error::Store(error) if error.kind() == ErrorKind::Full)
}

/// All places are taken: on a device with `max_sessions=1`, by whoever is logged in.
fn full(state: &AppState) -> Response {
    tracing::warn!(target: "audit", event = "login_refused_full", "all places for sessions are taken");
    let idle = state.config().session.idle_timeout;
    let text = format!(
        "Only so many people can be logged in here at the same time, and all places are in use. Please try again when somebody has logged out; a session that is not used ends by itself after {idle}."
    );
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let mut response = message(state, status, "All places are taken", &text);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, api::FULL_RETRY_AFTER);
    response
}

/// The page for what kept the directory from deciding.
pub(super) fn directory_failed(state: &AppState, error: directory::Error) -> Response {
    match error {
        directory::Error::Busy => {
            let text = "Too many people are logging in at this moment. Please try again.";
            let status = StatusCode::TOO_MANY_REQUESTS;
            let mut response = message(state, status, "Please wait a moment", text);
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
        error => {
            let answer = Problem::from(error).into_response();
            let status = answer.status();
            let text = "The server could not do that. Please try again later.";
            message(state, status, "That did not work", text)
        }
    }
}

/// `GET /style.css`
pub(super) async fn style(State(_): State<AppState>) -> Response {
    let kind = (header::CONTENT_TYPE, "text/css; charset=utf-8");
    let cache = (header::CACHE_CONTROL, "public, max-age=3600");
    ([kind, cache], include_str!("../../templates/style.css")).into_response()
}

/// 303 to a place that was checked.
pub(super) fn see_other(to: &str) -> Response {
    redirect(StatusCode::SEE_OTHER, to)
}

/// A redirect that no cache keeps.
pub(super) fn redirect(status: StatusCode, to: &str) -> Response {
    match HeaderValue::try_from(to) {
        Ok(location) => {
            let mut response = (status, [(header::LOCATION, location)]).into_response();
            no_store(response.headers_mut());
            response
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_can_be_read_and_escapes() {
        let pages = Pages::default();
        for name in [
            "login.html",
            "account.html",
            "confirm.html",
            "password.html",
            "message.html",
        ] {
            let values = context! { title => "<b>", text => "<b>", username => "\"><b>", return_to => "\"><b>", subject => "<b>", called => "<b>", session_id => "\"><b>", wrong => "<b>", done => "<b>", link => "\"><b>", base => "" };
            let text = pages.0.get_template(name).unwrap().render(values).unwrap();
            assert!(!text.contains("<b>"), "{name}: {text}");
        }
    }
}
