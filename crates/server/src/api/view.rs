//! Sessions as answers show them.

use crate::{http::no_store, state::AppState};
use axum::response::{IntoResponse, Response};
use cloakroom::service::Started;
use cloakroom_core::{Data, Device, Record, SessionId, Subject, Timestamp};
use http::{HeaderValue, StatusCode, header};
use serde::ser::{Error, Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use std::fmt;
use utoipa::{
    ToSchema,
    openapi::schema::{ObjectBuilder, Type},
};

/// A point in time, RFC 3339 UTC.
#[must_use]
pub fn time(at: Timestamp) -> String {
    Moment(at).to_string()
}

/// A point in time that is written, RFC 3339 UTC, where the answer is.
#[derive(Clone, Copy, Debug)]
struct Moment(Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0.as_millis()) {
            Ok(at) => at.fmt(f),
            // Further than the calendar reaches is "never" in all but name.
            Err(_) => f.write_str("9999-12-31T23:59:59Z"),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What names and subjects look like: no control characters (Unicode category Cc).
pub const NO_CONTROL: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

/// The schema of a member that is always true.
pub(super) fn always_true() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Boolean)
        .enum_values(Some([true]))
}

/// The schema of a member that is always false.
pub(super) fn always_false() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Boolean)
        .enum_values(Some([false]))
}

/// A session.
#[derive(Debug, serde::Serialize, ToSchema)]
pub struct View<'a> {
    /// Always true here; an inactive session has no other member.
    #[schema(schema_with = always_true)]
    active: bool,
    /// Its public handle.
    #[schema(value_type = String)]
    session_id: SessionId,
    /// Who it belongs to; null for an anonymous one.
    #[schema(value_type = Option<String>)]
    subject: Option<&'a Subject>,
    /// Its data.
    #[schema(value_type = Object)]
    data: DataView<'a>,
    /// Counts changes.
    version: u64,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    created_at: Moment,
    /// The last use that was written.
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Moment,
    /// It ends then regardless of use.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Moment,
    /// Without use it ends then.
    #[schema(value_type = String, format = DateTime)]
    idle_expires_at: Moment,
    /// When its subject was last proven.
    #[schema(value_type = Option<String>, format = DateTime)]
    authenticated_at: Option<Moment>,
    /// How strongly.
    acr: Option<&'a str>,
    /// By which methods.
    amr: &'a [Box<str>],
    /// Where it is used from.
    device: DeviceView<'a>,
    /// The application it was created for.
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<&'a str>,
    /// The token to use from now on, where the answer carries one.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_token: Option<String>,
}

#[derive(Debug, serde::Serialize, ToSchema)]
struct DeviceView<'a> {
    user_agent: Option<&'a str>,
    ip: Option<&'a str>,
    label: Option<&'a str>,
}

impl<'a> DeviceView<'a> {
    fn of(device: &'a Device) -> Self {
        Self {
            user_agent: device.user_agent.as_deref(),
            ip: device.ip.as_deref(),
            label: device.label.as_deref(),
        }
    }
}

impl<'a> View<'a> {
    /// The session as it stands.
    pub fn of(record: &'a Record, state: &AppState) -> Self {
        let sessions = state.sessions();
        let shown = |at| Moment(sessions.shown(at));
        let security = &record.security;
        Self {
            active: true,
            session_id: record.id,
            subject: security.subject.as_ref(),
            data: DataView(&record.data),
            version: record.version,
            created_at: shown(security.created_at),
            last_seen_at: shown(record.activity.last_seen),
            expires_at: shown(record.expires_at()),
            idle_expires_at: shown(record.deadline()),
            authenticated_at: security.authenticated_at.map(shown),
            acr: security.acr.as_deref(),
            amr: &security.amr,
            device: DeviceView::of(&record.device),
            app: security.app.as_ref().map(|app| app.as_str()),
            session_token: None,
        }
    }

    /// With the token to use from now on.
    #[must_use]
    pub fn with_token(mut self, token: String) -> Self {
        self.session_token = Some(token);
        self
    }

    /// As an answer, with its version as ETag.
    pub fn into_response(self) -> Response {
        let tag = HeaderValue::try_from(format!("\"{}\"", self.version));
        let mut response = answer(StatusCode::OK, &self);
        if let Ok(tag) = tag {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// A session and its new token.
#[derive(Debug, serde::Serialize, ToSchema)]
pub struct StartedView<'a> {
    /// Its public handle.
    #[schema(value_type = String)]
    session_id: SessionId,
    /// The secret that the client holds from now on.
    session_token: String,
    /// A `Set-Cookie` value, ready to hand on.
    set_cookie: String,
    /// Who it belongs to.
    #[schema(value_type = Option<String>)]
    subject: Option<&'a Subject>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    created_at: Moment,
    /// It ends then regardless of use.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Moment,
    /// Without use it ends then.
    #[schema(value_type = String, format = DateTime)]
    idle_expires_at: Moment,
    /// Counts changes.
    version: u64,
}

/// The answer that hands out a token.
pub fn started(started: &Started, status: StatusCode, state: &AppState) -> Response {
    let (record, sessions) = (&started.record, state.sessions());
    let shown = |at| Moment(sessions.shown(at));
    let lifetime = record.expires_at().since(sessions.now());
    let set_cookie = sessions.cookie().set(&started.token, lifetime);
    let view = StartedView {
        session_id: record.id,
        session_token: started.token.expose(),
        set_cookie: set_cookie.to_str().unwrap_or_default().to_owned(),
        subject: record.security.subject.as_ref(),
        created_at: shown(record.security.created_at),
        expires_at: shown(record.expires_at()),
        idle_expires_at: shown(record.deadline()),
        version: record.version,
    };
    answer(status, &view)
}

/// Data as the JSON object that it is; values as they were written.
#[derive(Debug)]
struct DataView<'a>(&'a Data);

impl Serialize for DataView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, text) in self.0.iter() {
            let raw: &RawValue = serde_json::from_str(text).map_err(S::Error::custom)?;
            map.serialize_entry(name, raw)?;
        }
        map.end()
    }
}

/// An answer as JSON, for the caller alone.
pub fn answer<T: serde::Serialize>(status: StatusCode, value: &T) -> Response {
    let mut response = crate::http::Json(value).into_response();
    if response.status() == StatusCode::OK {
        *response.status_mut() = status;
    }
    no_store(response.headers_mut());
    response
}

/// 204.
pub fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
