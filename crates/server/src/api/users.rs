//! `/v1/users`: what the command `user` does.

use super::view::{answer, nothing, time};
use crate::{
    credentials::{Caller, Scope},
    directory::{NewPerson, Person},
    http::{Answer, Json, Path, Problem},
    state::AppState,
};
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// How many people one page of the registry has.
const PAGE: usize = 500;

/// A person to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserBody {
    /// The name, which is the subject of the person's sessions.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// What the person may do, for `[[access]]` rules.
    roles: Option<Vec<String>>,
    /// The password; one is made where it is left out.
    #[schema(value_type = Option<String>)]
    password: Option<Zeroizing<String>>,
}

/// A person's new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordBody {
    /// The password; one is made where it is left out.
    #[schema(value_type = Option<String>)]
    password: Option<Zeroizing<String>>,
}

/// A person, and the password where one was made.
#[derive(Serialize, ToSchema)]
pub struct UserMade<'a> {
    name: &'a str,
    /// Shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    password: Option<Zeroizing<String>>,
}

/// A person as listed.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserView {
    name: String,
    roles: Vec<String>,
    disabled: bool,
    created_at: String,
}

impl UserView {
    fn of(person: Person) -> Self {
        Self {
            name: person.name.as_str().to_owned(),
            roles: person.roles,
            disabled: person.disabled,
            created_at: time(person.created_at),
        }
    }
}

/// All people.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserList {
    users: Vec<UserView>,
}

/// Adds a person.
#[utoipa::path(
    post,
    path = "/v1/users",
    tag = "users",
    request_body = UserBody,
    responses(
        (status = 201, description = "The person, and the password where one was made.", body = UserMade),
        (status = "4XX", description = "A problem (RFC 9457).", body = crate::openapi::ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The store is out of reach.", body = crate::openapi::ProblemView, content_type = "application/problem+json"),
    )
)]
pub async fn add(
    State(state): State<AppState>,
    caller: Caller,
    Json(asked): Json<UserBody>,
) -> Answer {
    caller.require(Scope::Admin)?;
    let new = NewPerson {
        name: asked.name,
        password: asked.password,
        roles: asked.roles.unwrap_or_default(),
    };
    let added = state.directory().add(new).await?;
    let view = UserMade {
        name: added.person.name.as_str(),
        password: added.password,
    };
    Ok(answer(StatusCode::CREATED, &view))
}

/// Lists people.
#[utoipa::path(
    get,
    path = "/v1/users",
    tag = "users",
    responses(
        (status = 200, description = "All people.", body = UserList),
        (status = "4XX", description = "A problem (RFC 9457).", body = crate::openapi::ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The store is out of reach.", body = crate::openapi::ProblemView, content_type = "application/problem+json"),
    )
)]
pub async fn list(State(state): State<AppState>, caller: Caller) -> Answer {
    caller.require(Scope::Admin)?;
    let (mut users, mut last) = (Vec::new(), None::<String>);
    loop {
        let page = state.directory().list(last.as_deref(), PAGE).await?;
        let is_last = page.len() < PAGE;
        users.extend(page.into_iter().map(UserView::of));
        last = users.last().map(|user| user.name.clone());
        if is_last {
            return Ok(answer(StatusCode::OK, &UserList { users }));
        }
    }
}

/// Sets a new password; the person's sessions end.
#[utoipa::path(
    put,
    path = "/v1/users/{name}/password",
    tag = "users",
    params(("name" = String, Path, description = "Whose.")),
    request_body = PasswordBody,
    responses(
        (status = 200, description = "Done; the password where one was made.", body = UserMade),
        (status = "4XX", description = "A problem (RFC 9457).", body = crate::openapi::ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The store is out of reach.", body = crate::openapi::ProblemView, content_type = "application/problem+json"),
    )
)]
pub async fn password(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    Json(asked): Json<PasswordBody>,
) -> Answer {
    caller.require(Scope::Admin)?;
    let made = state
        .directory()
        .set_password(&name, asked.password, None)
        .await?;
    Ok(answer(
        StatusCode::OK,
        &UserMade {
            name: &name,
            password: made,
        },
    ))
}

/// Keeps a person from logging in and ends all sessions (AV-7.4.2).
#[utoipa::path(
    post,
    path = "/v1/users/{name}/disable",
    tag = "users",
    params(("name" = String, Path, description = "Whom.")),
    responses(
        (status = 200, description = "Done.", body = UserView),
        (status = "4XX", description = "A problem (RFC 9457).", body = crate::openapi::ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The store is out of reach.", body = crate::openapi::ProblemView, content_type = "application/problem+json"),
    )
)]
pub async fn disable(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Answer {
    caller.require(Scope::Admin)?;
    let person = state
        .directory()
        .disable(&name)
        .await
        .map_err(Problem::from)?;
    Ok(answer(StatusCode::OK, &UserView::of(person)))
}

/// Lets a person log in again.
#[utoipa::path(
    post,
    path = "/v1/users/{name}/enable",
    tag = "users",
    params(("name" = String, Path, description = "Whom.")),
    responses(
        (status = 200, description = "Done.", body = UserView),
        (status = "4XX", description = "A problem (RFC 9457).", body = crate::openapi::ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The store is out of reach.", body = crate::openapi::ProblemView, content_type = "application/problem+json"),
    )
)]
pub async fn enable(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Answer {
    caller.require(Scope::Admin)?;
    let person = state
        .directory()
        .enable(&name)
        .await
        .map_err(Problem::from)?;
    Ok(answer(StatusCode::OK, &UserView::of(person)))
}

/// Removes a person and ends all sessions.
#[utoipa::path(
    delete,
    path = "/v1/users/{name}",
    tag = "users",
    params(("name" = String, Path, description = "Whom.")),
    responses(
        (status = 204, description = "Done."),
        (status = "4XX", description = "A problem (RFC 9457).", body = crate::openapi::ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The store is out of reach.", body = crate::openapi::ProblemView, content_type = "application/problem+json"),
    )
)]
pub async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Answer {
    caller.require(Scope::Admin)?;
    state.directory().remove(&name).await?;
    Ok(nothing())
}
