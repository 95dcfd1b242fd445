//! The command `session`.

use super::{
    Door, Failure,
    args::Session,
    manage::rows,
    output::{Output, cell, table},
};
use http::Method;
use serde_json::{Value, json};

pub(super) async fn run(door: &Door, command: &Session, out: Output) -> Result<(), Failure> {
    match command {
        Session::List { subject } => {
            let all = json!({"sessions": list(door, subject.as_deref()).await?});
            let columns = [
                "session_id",
                "subject",
                "created_at",
                "last_seen_at",
                "expires_at",
            ];
            out.answer(&all, || table(rows(&all, "sessions"), &columns))
        }
        Session::Show { id } => {
            let session = door
                .send(Method::GET, &["v1", "sessions", id], &[], None)
                .await?;
            out.answer(&session, || {
                let fields = session.as_object().into_iter().flatten();
                fields
                    .map(|(name, value)| format!("{name:<17} {}", cell(value)))
                    .collect::<Vec<_>>()
                    .join("\n")
            })
        }
        Session::Revoke { id: Some(id), .. } => {
            door.send(Method::DELETE, &["v1", "sessions", id], &[], None)
                .await?;
            out.answer(&json!({"session_id": id, "revoked": 1}), || {
                format!("session {id} has ended")
            })
        }
        Session::Revoke { subject, .. } => {
            let subject = subject.as_deref().unwrap_or_default();
            let answer = door
                .send(
                    Method::DELETE,
                    &["v1", "subjects", subject, "sessions"],
                    &[],
                    None,
                )
                .await?;
            out.answer(&answer, || {
                format!(
                    "{} sessions of {subject} have ended",
                    cell(&answer["revoked"])
                )
            })
        }
    }
}

/// All pages of the list.
async fn list(door: &Door, subject: Option<&str>) -> Result<Vec<Value>, Failure> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut query: Vec<(&str, &str)> = subject
            .map(|subject| ("subject", subject))
            .into_iter()
            .collect();
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = door
            .send(Method::GET, &["v1", "sessions"], &query, None)
            .await?;
        all.extend_from_slice(rows(&page, "sessions"));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(all),
        }
    }
}
