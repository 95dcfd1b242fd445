//! `POST /v1/sessions`

use super::{body, data::Object, idempotency, problem::session_problem, scoped, view::StartedView};
use crate::{
    credentials::{Caller, Scope},
    http::{Answer, Json},
    state::AppState,
};
use axum::extract::State;
use cloakroom_core::lifecycle::Begin;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// A session to create.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateBody {
    /// Who it belongs to, proven by the caller; none for an anonymous session.
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$"
    )]
    subject: Option<String>,
    /// Its first data.
    data: Option<Object>,
    /// Where it is used from.
    device: Option<body::DeviceBody>,
    /// Seconds of silence after which it ends.
    #[schema(minimum = 1, maximum = 34_560_000)]
    idle_timeout: Option<u64>,
    /// Seconds after which it ends regardless.
    #[schema(minimum = 1, maximum = 34_560_000)]
    absolute_timeout: Option<u64>,
    /// How strongly the subject was proven.
    #[schema(max_length = 512)]
    acr: Option<String>,
    /// By which methods.
    #[schema(max_items = 16)]
    amr: Option<Vec<String>>,
}

impl CreateBody {
    fn check(self, caller: &Caller) -> Answer<Begin> {
        let proof = match self.subject {
            Some(subject) => Some(body::proof(subject, self.acr, self.amr)?),
            None if self.acr.is_some() || self.amr.is_some() => {
                return Err(body::invalid(
                    "acr",
                    "and `amr` say how a subject was proven; there is none",
                ));
            }
            None => None,
        };
        Ok(Begin {
            app: caller.app.clone(),
            proof,
            device: self.device.unwrap_or_default().check()?,
            edits: self.data.unwrap_or_default().into_edits(),
            idle_timeout: body::timeout("idle_timeout", self.idle_timeout)?,
            absolute_timeout: body::timeout("absolute_timeout", self.absolute_timeout)?,
            ..Begin::default()
        })
    }
}

/// Begins a session and hands out its token.
#[utoipa::path(
    post,
    path = "/v1/sessions",
    operation_id = "create_session",
    tag = "sessions",
    request_body = CreateBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats of a request with the same key create one session; each repeat replaces its token.", max_length = 255)),
    responses(
        (status = 201, description = "The session and its token.", body = StartedView),
    )
)]
pub async fn create(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Json(raw): Json<Box<RawValue>>,
) -> Answer {
    caller.require(Scope::SessionsWrite)?;
    // Before anything that counts as the proof: a revocation from here on wins.
    let admitted = state
        .sessions()
        .admitted()
        .await
        .map_err(|error| session_problem(&error))?;
    let body: CreateBody = crate::http::parse_json(raw.get().as_bytes())?;
    let mut begin = body.check(&caller)?;
    begin.admitted = admitted;
    let once = idempotency::Once::of(&headers, &caller, raw.get())?;
    let subject = begin.proof.as_ref().map(|proof| &proof.subject);
    if let Some(once) = &once
        && let Some(started) = once.claim(&state, subject).await?
    {
        return Ok(scoped::handed_out(
            &state,
            &caller,
            "create_repeated",
            &started,
            StatusCode::CREATED,
        ));
    }
    let created = state.sessions().create(&begin).await;
    if let Some(once) = &once {
        once.settle(
            &state,
            created.as_ref().ok().map(|started| started.record.id),
        )
        .await?;
    }
    let started = created.map_err(|error| session_problem(&error))?;
    Ok(scoped::handed_out(
        &state,
        &caller,
        "create",
        &started,
        StatusCode::CREATED,
    ))
}
