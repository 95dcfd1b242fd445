//! Putting a [`CookieConfig`] together, with the rules that browsers hold cookies to.

use cloakroom_core::token::TOKEN_LEN;

use super::{CookieConfig, CookieError, SameSite};

/// Browsers drop a cookie whose name and value together are longer (CK-3).
const PAIR_MAX: usize = 4096;
/// Browsers ignore a Domain or Path that is longer (CK-4).
const ATTRIBUTE_MAX: usize = 1024;

/// Settings of the session cookie; checked by [`CookieBuilder::build`].
#[derive(Debug, Clone)]
pub struct CookieBuilder {
    name: String,
    domain: Option<String>,
    path: String,
    secure: bool,
    http_only: bool,
    same_site: SameSite,
    partitioned: bool,
    persistent: bool,
}

impl Default for CookieBuilder {
    fn default() -> Self {
        Self {
            name: "__Host-session".to_owned(),
            domain: None,
            path: "/".to_owned(),
            secure: true,
            http_only: true,
            same_site: SameSite::Lax,
            partitioned: false,
            persistent: false,
        }
    }
}

impl CookieBuilder {
    /// Its name. Default `__Host-session`: browsers then refuse a cookie of that name from other hosts, paths or plain
    /// http.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sent to all hosts of this domain. Needs another name, such as `__Secure-session`.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Sent below this path. Default `/`. A path isolates nothing (CK-19).
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Sent over https only. Default true; false is for plain http on loopback.
    #[must_use]
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Hidden from scripts. Default true, and there is no good reason for false (AV-3.3.4).
    #[must_use]
    pub fn http_only(mut self, http_only: bool) -> Self {
        self.http_only = http_only;
        self
    }

    /// Sent with requests that other sites cause. Default Lax: with links, not with forms or images.
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// One cookie for each site that embeds this one (CHIPS, CK-11). Default false.
    #[must_use]
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.partitioned = partitioned;
        self
    }

    /// Survives the end of the browser, until the session's end. Default false (OW-6).
    #[must_use]
    pub fn persistent(mut self, persistent: bool) -> Self {
        self.persistent = persistent;
        self
    }

    /// Checks the whole.
    ///
    /// # Errors
    /// [`CookieError`] names the rule that browsers would hold against it.
    pub fn build(self) -> Result<CookieConfig, CookieError> {
        self.check_name()?;
        self.check_prefix()?;
        if !self.domain.as_deref().is_none_or(is_domain) {
            return Err(CookieError::Domain);
        }
        if !is_path(&self.path) {
            return Err(CookieError::Path);
        }
        if self.same_site == SameSite::None && !self.secure {
            return Err(CookieError::NoneNeedsSecure);
        }
        if self.partitioned && !self.secure {
            return Err(CookieError::PartitionedNeedsSecure);
        }
        let attributes = self.attributes();
        Ok(CookieConfig::checked(
            self.name,
            attributes,
            self.persistent,
        ))
    }

    fn check_name(&self) -> Result<(), CookieError> {
        if self.name.is_empty() || !self.name.bytes().all(is_token_byte) {
            return Err(CookieError::Name);
        }
        if self.name.len() + TOKEN_LEN > PAIR_MAX {
            return Err(CookieError::TooLong);
        }
        Ok(())
    }

    fn check_prefix(&self) -> Result<(), CookieError> {
        // The longer ones first: `__Host-Http-` begins with `__Host-`.
        const PREFIXES: [(&str, bool, bool); 4] = [
            ("__Host-Http-", true, true),
            ("__Http-", false, true),
            ("__Host-", true, false),
            ("__Secure-", false, false),
        ];
        let begins = |prefix: &str| {
            let head = self.name.as_bytes().get(..prefix.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
        };
        let Some((prefix, host, http)) = PREFIXES.into_iter().find(|(prefix, ..)| begins(prefix))
        else {
            return Ok(());
        };
        if !self.name.starts_with(prefix) {
            Err(CookieError::Prefix(prefix))
        } else if !self.secure {
            Err(CookieError::PrefixNeedsSecure(prefix))
        } else if http && !self.http_only {
            Err(CookieError::PrefixNeedsHttpOnly(prefix))
        } else if host && self.domain.is_some() {
            Err(CookieError::PrefixForbidsDomain(prefix))
        } else if host && self.path != "/" {
            Err(CookieError::PrefixNeedsRootPath(prefix))
        } else {
            Ok(())
        }
    }

    /// The same for setting and for clearing, because a browser clears only the cookie that matches (CK-7).
    fn attributes(&self) -> String {
        let mut text = String::new();
        if self.http_only {
            text.push_str("; HttpOnly");
        }
        if self.secure {
            text.push_str("; Secure");
        }
        text.push_str("; SameSite=");
        text.push_str(self.same_site.as_str());
        text.push_str("; Path=");
        text.push_str(&self.path);
        if let Some(domain) = &self.domain {
            text.push_str("; Domain=");
            text.push_str(domain);
        }
        if self.partitioned {
            text.push_str("; Partitioned");
        }
        text
    }
}

/// RFC 9110 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // An address has no sub-domains to share a cookie with.
    let address = domain.parse::<std::net::IpAddr>().is_ok();
    domain.len() <= ATTRIBUTE_MAX && !address && domain.split('.').all(label)
}

fn is_path(path: &str) -> bool {
    let printable = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b';';
    path.len() <= ATTRIBUTE_MAX
        && path.starts_with('/')
        && path.bytes().all(printable)
        && !path.ends_with(' ')
}
