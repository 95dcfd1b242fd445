//! Why a cookie configuration cannot be used.

/// A configuration that browsers would refuse, ignore or read otherwise than it is meant; found when it is built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// CK-1: the name is empty or has characters that are no `token` (RFC 9110 5.6.2).
    #[error("a cookie name must be an HTTP token: letters, digits and !#$%&'*+-.^_`|~")]
    Name,
    /// CK-3: name and value together would exceed 4096 bytes.
    #[error(
        "the cookie name is so long that browsers would drop the cookie (4096 bytes with its value)"
    )]
    TooLong,
    /// CK-8: a spelling of a prefix that browsers take for it and we would not.
    #[error("a cookie name that begins like {0} must be spelt exactly so")]
    Prefix(&'static str),
    /// CK-8: the prefix asks for Secure.
    #[error("a cookie whose name begins with {0} must be Secure")]
    PrefixNeedsSecure(&'static str),
    /// CK-8: the prefix asks for `Path=/`.
    #[error("a cookie whose name begins with {0} must have Path=/")]
    PrefixNeedsRootPath(&'static str),
    /// CK-8: the prefix forbids Domain.
    #[error(
        "a cookie whose name begins with {0} must not have a Domain; use __Secure-session for several hosts"
    )]
    PrefixForbidsDomain(&'static str),
    /// CK-9: the prefix asks for HttpOnly.
    #[error("a cookie whose name begins with {0} must be HttpOnly")]
    PrefixNeedsHttpOnly(&'static str),
    /// CK-4, CK-16: no host name, or over 1024 bytes.
    #[error(
        "a cookie Domain must be a host name in lower case without a leading dot, at most 1024 bytes"
    )]
    Domain,
    /// CK-4, CK-16: does not begin with `/`, has characters that end an attribute, or over 1024 bytes.
    #[error(
        "a cookie Path must begin with / and hold printable ASCII without ; at most 1024 bytes"
    )]
    Path,
    /// CK-10: browsers drop it.
    #[error("a SameSite=None cookie must be Secure")]
    NoneNeedsSecure,
    /// CK-10: no such value.
    #[error("SameSite must be Strict, Lax or None")]
    SameSite,
    /// CK-11: browsers drop it.
    #[error("a Partitioned cookie must be Secure")]
    PartitionedNeedsSecure,
    /// The public URL is neither https nor loopback: a session cookie would cross the network in clear.
    #[error("the public URL must be https, or http on a loopback host")]
    InsecureOrigin,
}
