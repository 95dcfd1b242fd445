//! `POST /logout`

use super::{client, cross_host, pages};
use crate::state::AppState;
use axum::{extract::State, response::Response};
use cloakroom::service::Cause;
use http::{HeaderMap, HeaderValue, header};

/// Ends the session first, then clears what the browser keeps (OW-14). Sessions on other hosts that began with this one
/// end too.
pub(super) async fn submit(State(state): State<AppState>, headers: HeaderMap) -> Response {
    if let Some(token) = client::token(&state, &headers) {
        let ended = async {
            if let Some(record) = client::found(&state, &token).await? {
                cross_host::end_family(&state, &record).await?;
                state.sessions().end(record.id, Cause::Ended).await?;
                tracing::info!(target: "audit", event = "logout", session_id = %record.id, "logout");
            }
            Ok(())
        };
        if let Err(error) = ended.await {
            return pages::unavailable(&state, &error);
        }
    }
    let mut response = pages::see_other(&format!("{}/login", state.base_url()));
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, state.sessions().cookie().clear());
    headers.insert(
        "clear-site-data",
        HeaderValue::from_static("\"cache\", \"storage\""),
    );
    response
}
