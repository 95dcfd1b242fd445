//! `[[access]]` rules: pure, the first that matches decides.

use super::Target;
use crate::config::{AccessRule, Allow};
use cloakroom_core::Subject;

/// What the rules say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Let the request through.
    Allowed,
    /// Somebody must sign in first.
    SignIn,
    /// Signed in, and not allowed.
    Forbidden,
}

/// Whether `who`, with these roles, may reach `target`. What no rule names, every signed-in person may.
#[must_use]
pub fn decide(
    rules: &[AccessRule],
    target: &Target,
    who: Option<(&Subject, &[String])>,
) -> Verdict {
    let signed_in = |allowed: bool| match (who, allowed) {
        (None, _) => Verdict::SignIn,
        (Some(_), true) => Verdict::Allowed,
        (Some(_), false) => Verdict::Forbidden,
    };
    if rules.is_empty() {
        return signed_in(true);
    }
    // A path that may be read in two ways is not let through by any rule about paths.
    let Some(path) = &target.path else {
        return signed_in(false);
    };
    match rules.iter().find(|rule| matches(rule, target, path)) {
        None => signed_in(true),
        Some(rule) => match &rule.allow {
            Allow::Public => Verdict::Allowed,
            Allow::SignedIn => signed_in(true),
            Allow::AnyOf(names) => signed_in(who.is_some_and(|(subject, roles)| {
                names
                    .iter()
                    .any(|name| name == subject.as_str() || roles.contains(name))
            })),
        },
    }
}

fn matches(rule: &AccessRule, target: &Target, path: &str) -> bool {
    let host = rule.host.as_deref();
    let below = rule.path.as_deref().is_none_or(|rule| {
        let rest = path.strip_prefix(rule.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    let method = rule.methods.is_empty()
        || rule.methods.contains(&target.method)
        // Whoever may GET may HEAD: it tells nothing more.
        || (target.method == "HEAD" && rule.methods.iter().any(|method| method == "GET"));
    host.is_none_or(|host| host_matches(host, target.origin.host())) && below && method
}

/// Whether a rule's host, perhaps `*.example.com`, names `host`.
pub(super) fn host_matches(rule: &str, host: &str) -> bool {
    match rule.strip_prefix("*.") {
        Some(domain) => host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.ends_with('.') && rest.len() > 1),
        None => rule == host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(host: Option<&str>, path: Option<&str>, methods: &[&str], allow: Allow) -> AccessRule {
        AccessRule {
            host: host.map(Into::into),
            path: path.map(Into::into),
            methods: methods.iter().map(|&m| m.to_owned()).collect(),
            allow,
        }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        use Verdict::{Allowed, Forbidden, SignIn};
        let admins = Allow::AnyOf(vec!["admin".into()]);
        let rules = [
            rule(None, Some("/admin"), &[], admins),
            rule(Some("*.a.test"), None, &["GET"], Allow::Public),
            rule(Some("b.test"), None, &[], Allow::SignedIn),
        ];
        let ada = Subject::new("ada").unwrap();
        let (none, admin) = (Vec::new(), vec!["admin".to_owned()]);
        let (plain, chief) = (Some((&ada, &none[..])), Some((&ada, &admin[..])));
        for (url, method, who, verdict) in [
            ("https://b.test/admin/x", "GET", plain, Forbidden),
            ("https://b.test/admin/x", "GET", chief, Allowed),
            ("https://b.test/administrator", "GET", plain, Allowed),
            ("https://b.test/admin", "GET", None, SignIn),
            ("https://x.a.test/", "HEAD", None, Allowed),
            ("https://x.a.test/", "POST", plain, Allowed),
            ("https://a.test/", "GET", None, SignIn),
            ("https://evila.test/", "GET", None, SignIn),
            ("https://x.a.test/x/../admin", "GET", plain, Forbidden),
            ("https://x.a.test/x/%2e%2e/admin", "GET", None, SignIn),
        ] {
            let target = Target::parse(url, method).unwrap();
            assert_eq!(decide(&rules, &target, who), verdict, "{method} {url}");
        }
        let target = Target::parse("https://c.test/", "GET").unwrap();
        assert_eq!(
            (decide(&[], &target, plain), decide(&[], &target, None)),
            (Allowed, SignIn)
        );
    }
}
