//! Every kind of problem that the server answers: the ONE list, rendered into the docs. A slug never changes.

use super::Kind;
use http::StatusCode;

/// Declares the constants and the list of all in one go, so that none can be forgotten in the list.
macro_rules! kinds {
    ($($name:ident = $status:ident $slug:literal $title:literal: $meaning:literal;)*) => {
        $(#[doc = $meaning] pub static $name: Kind = Kind { slug: $slug, title: $title, status: StatusCode::$status, meaning: $meaning };)*
        /// All kinds, in the order of the docs.
        pub static ALL: &[&Kind] = &[$(&$name),*];
    };
}

kinds! {
    MALFORMED_REQUEST = BAD_REQUEST "malformed-request" "The request is malformed": "A header, path or query could not be read.";
    MALFORMED_JSON = BAD_REQUEST "malformed-json" "The body is not valid JSON": "`detail` says at which line and column.";
    INVALID_FIELD = BAD_REQUEST "invalid-field" "A field of the request is not valid": "`field` names it; fields that the request does not know are refused too.";
    UNAUTHENTICATED = UNAUTHORIZED "unauthenticated" "An API key is needed": "Send `Authorization: Bearer <api key>`.";
    SIGN_IN = UNAUTHORIZED "sign-in" "Somebody must sign in": "The proxied request has no live session.";
    FORBIDDEN = FORBIDDEN "forbidden" "This is not allowed": "Of an API key, `scope` names the scope that is missing.";
    CROSS_SITE = FORBIDDEN "cross-site" "The request comes from another site": "Browsers may only send it from this site's own pages.";
    NOT_FOUND = NOT_FOUND "not-found" "There is nothing here": "No such path.";
    SESSION_NOT_FOUND = NOT_FOUND "session-not-found" "There is no such session": "It never was, has ended, or belongs to another application.";
    SUBJECT_NOT_FOUND = NOT_FOUND "user-not-found" "There is no such user": "The directory has no user of this name.";
    API_KEY_NOT_FOUND = NOT_FOUND "api-key-not-found" "There is no such API key": "No API key has this name.";
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED "method-not-allowed" "This path does not take this method": "`Allow` lists those that it takes.";
    ALREADY_EXISTS = CONFLICT "already-exists" "The name is taken": "Something of this name exists already.";
    CONFLICT = CONFLICT "conflict" "The request does not fit the present state": "`detail` says why.";
    VERSION_MISMATCH = PRECONDITION_FAILED "version-mismatch" "The session has changed meanwhile": "`If-Match` named another version; `version` is the present one.";
    TOO_LARGE = PAYLOAD_TOO_LARGE "too-large" "The request is too large": "The body or the session's data is over the limit; `limit` is in bytes.";
    UNSUPPORTED_MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "The body is not of a type that is taken here": "Send `Content-Type: application/json`.";
    IDEMPOTENCY_KEY_REUSED = UNPROCESSABLE_ENTITY "idempotency-key-reused" "The idempotency key stands for another request": "Use a new key for a new request.";
    TOO_MANY_SESSIONS = CONFLICT "too-many-sessions" "The subject has all the sessions it may have": "Only where `session.on_full = \"deny\"`: end one of them first, or authenticate the one that is there.";
    TOO_MANY_REQUESTS = TOO_MANY_REQUESTS "too-many-requests" "Too many requests": "Wait as long as `Retry-After` says.";
    HEAD_TOO_LARGE = REQUEST_HEADER_FIELDS_TOO_LARGE "head-too-large" "The request's headers are too large": "Send fewer or shorter cookies and headers.";
    INTERNAL = INTERNAL_SERVER_ERROR "internal" "The server failed": "A fault of the server; the log has it under the answer's `X-Request-Id`.";
    UNAVAILABLE = SERVICE_UNAVAILABLE "unavailable" "The store is out of reach": "Try again later. It never means that a session has ended.";
    FULL = SERVICE_UNAVAILABLE "full" "All places for sessions are taken": "The store keeps as many sessions as it may (`max_sessions`, `reserve`). One that ends or expires makes room; ask again after `Retry-After`.";
    NOT_READY = SERVICE_UNAVAILABLE "not-ready" "The server is not ready": "`checks` says what is missing, or the server is about to stop.";
    TIMED_OUT = SERVICE_UNAVAILABLE "timed-out" "The answer took too long": "Try again; whether the request had an effect is not known.";
}

/// The page `docs/problems.md`.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(
        "# Problems\n\n\
         Every error over HTTP is a problem (RFC 9457): `application/problem+json` with `type`, `title`, `status` and,\n\
         where there is more to say, `detail` and members of its own. Programs branch on `type`: it is\n\
         `urn:cloakroom:problem:` and one of these, and never changes. This page is made from the server's one list\n\
         (`crates/server/src/http/problems.rs`); a test holds them together.\n\n\
         | type | status | title | when, and what to do |\n|---|---|---|---|\n",
    );
    for kind in ALL {
        let (slug, status) = (kind.slug, kind.status.as_u16());
        page += &format!(
            "| `{slug}` | {status} | {} | {} |\n",
            kind.title, kind.meaning
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_unique_and_fit_for_a_urn() {
        let mut seen = std::collections::HashSet::new();
        for kind in ALL {
            assert!(seen.insert(kind.slug), "{} stands twice", kind.slug);
            assert!(
                kind.slug
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'-'),
                "{}",
                kind.slug
            );
            assert!(kind.status.is_client_error() || kind.status.is_server_error());
        }
    }

    /// `CLOAKROOM_BLESS=1` writes the page anew.
    #[test]
    fn the_docs_list_every_kind() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/problems.md");
        if std::env::var_os("CLOAKROOM_BLESS").is_some() {
            std::fs::write(file, page()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(file).unwrap(), page());
    }
}
