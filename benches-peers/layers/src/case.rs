//! What a request does to its session.

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// No cookie comes, the handler does not look at its session.
    Stranger,
    /// A live session's cookie comes, the handler does not look at it.
    Untouched,
    /// One value is read.
    Read,
    /// One value is read, and written at the end of the request.
    Write,
    /// One value is updated in place; where a layer has no such call, the same as [`Case::Write`].
    Update,
    /// No cookie comes, one value is written: a session begins.
    New,
}

impl Case {
    /// All, in the order of the tables.
    pub const ALL: [Self; 6] = [
        Self::Stranger,
        Self::Untouched,
        Self::Read,
        Self::Write,
        Self::Update,
        Self::New,
    ];

    /// As the command line and the results call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::Untouched => "untouched",
            Self::Read => "read",
            Self::Write => "write",
            Self::Update => "update",
            Self::New => "new",
        }
    }

    /// The one called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|case| case.name() == name)
    }

    /// Where it is served.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Stranger | Self::Untouched => "/",
            Self::Read => "/read",
            Self::Write => "/write",
            Self::Update => "/update",
            Self::New => "/new",
        }
    }

    /// Whether the request carries a live session's cookie.
    #[must_use]
    pub const fn has_cookie(self) -> bool {
        !matches!(self, Self::Stranger | Self::New)
    }
}
