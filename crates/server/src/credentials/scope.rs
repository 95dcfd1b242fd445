//! What an API key allows.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use utoipa::ToSchema;

/// One thing that an API key may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub enum Scope {
    /// Verify, read and list sessions.
    #[serde(rename = "sessions:read")]
    SessionsRead,
    /// Create, change and end sessions.
    #[serde(rename = "sessions:write")]
    SessionsWrite,
    /// Get a token for a session by its id alone.
    #[serde(rename = "sessions:impersonate")]
    SessionsImpersonate,
    /// Issue and look into tokens.
    #[serde(rename = "tokens")]
    Tokens,
    /// Everything: who may make keys could give himself any other scope.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 5] = [
        Self::SessionsRead,
        Self::SessionsWrite,
        Self::SessionsImpersonate,
        Self::Tokens,
        Self::Admin,
    ];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SessionsRead => "sessions:read",
            Self::SessionsWrite => "sessions:write",
            Self::SessionsImpersonate => "sessions:impersonate",
            Self::Tokens => "tokens",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or_else(|| format!("there is no scope `{text}`"))
    }
}
