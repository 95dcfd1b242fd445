//! `/v1/users`: what the command `user` does.

use super::view::{answer, nothing, time};
use crate::{
    credentials::Caller,
    directory::{self, NewPerson, Person},
    http::{Answer, Json, Path, Problem, problems},
    state::AppState,
};
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// How many users one page of the directory holds.
const PAGE: usize = 500;

/// A user to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserBody {
    /// The name, which is the subject of the user's sessions.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// The password; one is made and answered where it is left out.
    #[schema(value_type = Option<String>, max_length = 1024)]
    password: Option<Zeroizing<String>>,
    /// What the user may do, for access rules.
    #[schema(max_items = 64)]
    roles: Option<Vec<String>>,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordBody {
    /// The password; one is made and answered where it is left out.
    #[schema(value_type = Option<String>, max_length = 1024)]
    password: Option<Zeroizing<String>>,
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserView {
    /// The name.
    name: String,
    /// What the user may do.
    roles: Vec<String>,
    /// Whether the user is kept from logging in.
    disabled: bool,
    /// When the user was added.
    #[schema(format = DateTime)]
    created_at: String,
    /// When the password was last changed.
    #[schema(format = DateTime)]
    password_changed_at: String,
    /// The password, where it was made here; shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    password: Option<Zeroizing<String>>,
}

/// All users.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserList {
    users: Vec<UserView>,
}

impl UserView {
    fn of(person: &Person, made: Option<Zeroizing<String>>) -> Self {
        Self {
            name: person.name.as_str().to_owned(),
            roles: person.roles.clone(),
            disabled: person.disabled,
            created_at: time(person.created_at),
            password_changed_at: time(person.password_changed_at),
            password: made,
        }
    }
}

/// Adds a user.
#[utoipa::path(
    post,
    path = "/v1/users",
    operation_id = "add_user",
    tag = "users",
    request_body = UserBody,
    responses((status = 201, description = "The user; with the password, where it was made here.", body = UserView))
)]
pub async fn add(
    State(state): State<AppState>,
    caller: Caller,
    Json(asked): Json<UserBody>,
) -> Answer {
    caller.require_operator()?;
    let new = NewPerson {
        name: asked.name,
        password: asked.password,
        roles: asked.roles.unwrap_or_default(),
    };
    let added = state.directory().add(new).await?;
    audit(&caller, "user_added", added.person.name.as_str());
    let view = UserView::of(&added.person, added.password);
    Ok(answer(StatusCode::CREATED, &view))
}

/// Lists users.
#[utoipa::path(
    get,
    path = "/v1/users",
    operation_id = "list_users",
    tag = "users",
    responses((status = 200, description = "All users.", body = UserList))
)]
pub async fn list(State(state): State<AppState>, caller: Caller) -> Answer {
    caller.require_operator()?;
    let mut users: Vec<UserView> = Vec::new();
    loop {
        let after = users.last().map(|user| user.name.clone());
        let page = state.directory().list(after.as_deref(), PAGE).await?;
        users.extend(page.iter().map(|person| UserView::of(person, None)));
        if page.len() < PAGE {
            return Ok(answer(StatusCode::OK, &UserList { users }));
        }
    }
}

/// Shows a user.
#[utoipa::path(
    get,
    path = "/v1/users/{name}",
    operation_id = "get_user",
    tag = "users",
    params(("name" = String, Path, description = "The name.")),
    responses((status = 200, description = "The user.", body = UserView))
)]
pub async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Answer {
    caller.require_operator()?;
    let person = existing(&state, &name).await?;
    Ok(answer(StatusCode::OK, &UserView::of(&person, None)))
}

/// Sets a new password; the user's sessions end.
#[utoipa::path(
    put,
    path = "/v1/users/{name}/password",
    operation_id = "set_user_password",
    tag = "users",
    params(("name" = String, Path, description = "The name.")),
    request_body = PasswordBody,
    responses((status = 200, description = "The user; with the password, where it was made here.", body = UserView))
)]
pub async fn set_password(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    Json(asked): Json<PasswordBody>,
) -> Answer {
    caller.require_operator()?;
    let made = state
        .directory()
        .set_password(&name, asked.password, None)
        .await?;
    audit(&caller, "password_set", &name);
    let person = existing(&state, &name).await?;
    Ok(answer(StatusCode::OK, &UserView::of(&person, made)))
}

/// Keeps a user from logging in; the user's sessions end.
#[utoipa::path(
    post,
    path = "/v1/users/{name}/disable",
    operation_id = "disable_user",
    tag = "users",
    params(("name" = String, Path, description = "The name.")),
    responses((status = 200, description = "The user.", body = UserView))
)]
pub async fn disable(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Answer {
    caller.require_operator()?;
    let person = state.directory().disable(&name).await?;
    audit(&caller, "user_disabled", &name);
    Ok(answer(StatusCode::OK, &UserView::of(&person, None)))
}

/// Lets a user log in again.
#[utoipa::path(
    post,
    path = "/v1/users/{name}/enable",
    operation_id = "enable_user",
    tag = "users",
    params(("name" = String, Path, description = "The name.")),
    responses((status = 200, description = "The user.", body = UserView))
)]
pub async fn enable(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Answer {
    caller.require_operator()?;
    let person = state.directory().enable(&name).await?;
    audit(&caller, "user_enabled", &name);
    Ok(answer(StatusCode::OK, &UserView::of(&person, None)))
}

/// Removes a user; the user's sessions end.
#[utoipa::path(
    delete,
    path = "/v1/users/{name}",
    operation_id = "remove_user",
    tag = "users",
    params(("name" = String, Path, description = "The name.")),
    responses((status = 204, description = "The user is removed."))
)]
pub async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Answer {
    caller.require_operator()?;
    state.directory().remove(&name).await?;
    audit(&caller, "user_removed", &name);
    Ok(nothing())
}

async fn existing(state: &AppState, name: &str) -> Answer<Person> {
    let found: Result<Option<Person>, directory::Error> = state.directory().get(name).await;
    found?.ok_or_else(|| Problem::new(&problems::SUBJECT_NOT_FOUND))
}

/// Who did it; what was done, the directory tells itself.
fn audit(caller: &Caller, event: &'static str, user: &str) {
    tracing::info!(target: "audit", event, user, caller = caller.name, "directory");
}
