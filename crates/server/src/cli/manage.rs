//! The commands `user` and `api-key`.

use super::{
    Door, Failure,
    args::{ApiKey, User},
    output::{Output, cell, table},
    password,
};
use http::Method;
use serde_json::{Value, json};

pub(super) async fn user(door: &Door, command: &User, out: Output) -> Result<(), Failure> {
    match command {
        User::Add {
            name,
            role,
            password_stdin,
        } => {
            let mut body = json!({"name": name});
            if !role.is_empty() {
                body["roles"] = json!(role);
            }
            add_password(&mut body, name, *password_stdin, out)?;
            let answer = door
                .send(Method::POST, &["v1", "users"], &[], Some(&body))
                .await?;
            told_password(out, &answer, name, "added")
        }
        User::List => {
            let answer = door.send(Method::GET, &["v1", "users"], &[], None).await?;
            out.answer(&answer, || {
                table(
                    rows(&answer, "users"),
                    &["name", "roles", "disabled", "created_at"],
                )
            })
        }
        User::Passwd {
            name,
            password_stdin,
        } => {
            let mut body = json!({});
            add_password(&mut body, name, *password_stdin, out)?;
            let answer = door
                .send(
                    Method::PUT,
                    &["v1", "users", name, "password"],
                    &[],
                    Some(&body),
                )
                .await?;
            told_password(
                out,
                &answer,
                name,
                "has a new password; other sessions ended",
            )
        }
        User::Disable { name } => {
            door.send(
                Method::POST,
                &["v1", "users", name, "disable"],
                &[],
                Some(&json!({})),
            )
            .await?;
            out.answer(&json!({"name": name, "disabled": true}), || {
                format!("user {name} is disabled; all sessions ended")
            })
        }
        User::Remove { name } => {
            door.send(Method::DELETE, &["v1", "users", name], &[], None)
                .await?;
            out.answer(&json!({"name": name, "removed": true}), || {
                format!("user {name} is removed; all sessions ended")
            })
        }
    }
}

fn add_password(
    body: &mut Value,
    name: &str,
    from_stdin: bool,
    out: Output,
) -> Result<(), Failure> {
    if let Some(password) = password::ask(name, from_stdin, out.json)? {
        body["password"] = Value::String(password.to_string());
    }
    Ok(())
}

/// `{"name", "password"}`, the password only where the server made it.
fn told_password(out: Output, answer: &Value, name: &str, done: &str) -> Result<(), Failure> {
    let mut document = json!({"name": name});
    if let Some(password) = answer["password"].as_str() {
        document["password"] = json!(password);
    }
    out.answer(&document, || match answer["password"].as_str() {
        Some(password) => {
            format!("user {name} {done}\npassword: {password}\nIt is shown this once.")
        }
        None => format!("user {name} {done}"),
    })
}

pub(super) async fn api_key(door: &Door, command: &ApiKey, out: Output) -> Result<(), Failure> {
    match command {
        ApiKey::Create { name, scope, app } => {
            let mut body = json!({"name": name, "scopes": scope});
            if let Some(app) = app {
                body["app"] = json!(app);
            }
            let answer = door
                .send(Method::POST, &["v1", "api-keys"], &[], Some(&body))
                .await?;
            out.answer(&answer, || {
                format!(
                    "{}\nIt is shown this once; scopes: {}.",
                    cell(&answer["key"]),
                    cell(&answer["scopes"])
                )
            })
        }
        ApiKey::List => {
            let answer = door
                .send(Method::GET, &["v1", "api-keys"], &[], None)
                .await?;
            out.answer(&answer, || {
                table(
                    rows(&answer, "api_keys"),
                    &["name", "scopes", "app", "created_at"],
                )
            })
        }
        ApiKey::Revoke { name } => {
            door.send(Method::DELETE, &["v1", "api-keys", name], &[], None)
                .await?;
            out.answer(&json!({"name": name, "revoked": true}), || {
                format!("API key {name} is revoked")
            })
        }
    }
}

/// The list in an answer.
pub(super) fn rows<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().map_or(&[], Vec::as_slice)
}
