//! `POST /v1/sessions/verify`

use super::{
    body,
    problem::session_problem,
    scoped,
    view::{self, View, answer},
};
use crate::{
    credentials::{Caller, Scope},
    http::{Answer, Json},
    state::AppState,
};
use axum::extract::State;
use cloakroom::service;
use cloakroom_core::{Record, SessionToken};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// The most tokens of one request.
const TOKENS_MAX: usize = 1000;

/// One token, or many.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyBody {
    /// The token to judge.
    session_token: Option<String>,
    /// Or many.
    #[schema(max_items = 1000)]
    session_tokens: Option<Vec<String>>,
    /// Whether this counts as a use of the session; true where it is left out.
    touch: Option<bool>,
}

/// What verification answers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum VerifyAnswer<'a> {
    /// The token opens this session.
    Active(Box<View<'a>>),
    /// The token opens nothing, whatever is wrong with it.
    Inactive(Inactive),
    /// The answers to many tokens, in their order.
    Many(Verified<'a>),
}

/// The token opens nothing.
#[derive(Debug, Serialize, ToSchema)]
pub struct Inactive {
    #[schema(schema_with = view::always_false)]
    active: bool,
}

/// The answers to many tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct Verified<'a> {
    /// One for each token, in their order: a session, or `active: false`.
    #[schema(no_recursion)]
    sessions: Vec<VerifyAnswer<'a>>,
}

impl<'a> VerifyAnswer<'a> {
    fn of(record: Option<&'a Arc<Record>>, state: &AppState) -> Self {
        match record {
            Some(record) => Self::Active(Box::new(View::of(record, state))),
            None => Self::Inactive(Inactive { active: false }),
        }
    }
}

/// Judges session tokens.
#[utoipa::path(
    post,
    path = "/v1/sessions/verify",
    operation_id = "verify_session",
    tag = "sessions",
    request_body = VerifyBody,
    responses(
        (status = 200, description = "The session, or `active: false`; for `session_tokens`, `sessions` with one answer each.", body = VerifyAnswer),
    )
)]
pub async fn verify(
    State(state): State<AppState>,
    caller: Caller,
    Json(asked): Json<VerifyBody>,
) -> Answer {
    caller.require(Scope::SessionsRead)?;
    let touch = asked.touch.unwrap_or(true);
    match (asked.session_token, asked.session_tokens) {
        (Some(token), None) => {
            let record = judge(&state, &caller, &token, touch).await?;
            let answered = VerifyAnswer::of(record.as_ref(), &state);
            Ok(answer(StatusCode::OK, &answered))
        }
        (None, Some(tokens)) if tokens.len() <= TOKENS_MAX => {
            let mut found = Vec::with_capacity(tokens.len());
            for token in &tokens {
                found.push(judge(&state, &caller, token, touch).await?);
            }
            let records = found.iter().map(Option::as_ref);
            let sessions = records
                .map(|record| VerifyAnswer::of(record, &state))
                .collect();
            Ok(answer(
                StatusCode::OK,
                &VerifyAnswer::Many(Verified { sessions }),
            ))
        }
        (None, Some(_)) => Err(body::invalid("session_tokens", "has more than 1000 tokens")),
        _ => Err(body::invalid(
            "session_token",
            "or `session_tokens` must be there, and not both",
        )),
    }
}

async fn judge(
    state: &AppState,
    caller: &Caller,
    token: &str,
    touch: bool,
) -> Answer<Option<Arc<Record>>> {
    let Ok(token) = token.parse::<SessionToken>() else {
        return Ok(None);
    };
    if !scoped::may_use(state, caller, &token).await? {
        return Ok(None);
    }
    let verified = state.sessions().verify(&token, touch).await;
    match verified.map_err(|error| session_problem(&error))? {
        service::Verified::Active(record) => Ok(Some(record)),
        service::Verified::Inactive(ended) => {
            state.refused().note(token.id(), ended);
            Ok(None)
        }
    }
}
