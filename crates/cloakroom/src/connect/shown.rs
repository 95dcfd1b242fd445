//! A store URL as it may be shown.

/// What stands in place of a secret.
const REDACTED: &str = "[redacted]";

/// `url` without its passwords, for logs, errors and the start message. Where it cannot be told what is a password, too much
/// goes and not too little.
///
/// ```
/// let shown = cloakroom::store_url_shown("postgres://ada:hunter2@db/x");
/// assert_eq!(shown, "postgres://ada:[redacted]@db/x");
/// ```
pub fn store_url_shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let lead = if rest.len() == url.len() { "" } else { "://" };
    let mut shown = format!("{scheme}{lead}");
    // The last `@`: people write passwords that have one, or a `?` or `/`, without encoding them.
    let rest = match rest.rsplit_once('@').filter(|_| !lead.is_empty()) {
        Some((login, rest)) => {
            shown += &user(login);
            rest
        }
        None => rest,
    };
    let (front, query) = rest.split_once('?').unwrap_or((rest, ""));
    shown += front;
    for (i, pair) in query.split('&').enumerate() {
        if query.is_empty() {
            break;
        }
        shown.push(if i == 0 { '?' } else { '&' });
        let name = pair.split('=').next().unwrap_or_default();
        if is_secret(name) {
            shown += &format!("{name}={REDACTED}");
        } else {
            shown += pair;
        }
    }
    shown
}

/// What stands before the `@`: the name only where nothing but a name can stand there.
fn user(login: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-._~+%".contains(c);
    match login.split_once(':') {
        _ if login.is_empty() => "@".to_owned(),
        None if login.chars().all(is_plain) => format!("{login}@"),
        Some((name, _)) if name.chars().all(is_plain) => format!("{name}:{REDACTED}@"),
        _ => format!("{REDACTED}@"),
    }
}

/// The parameters are another place where drivers take a password. The name of a file is none.
fn is_secret(name: &str) -> bool {
    let name = ::url::form_urlencoded::parse(name.as_bytes())
        .next()
        .map(|(name, _)| name.to_ascii_lowercase())
        .unwrap_or_default();
    let words = ["pass", "pwd", "secret", "token", "key"];
    !name.ends_with("_file") && words.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::store_url_shown;

    #[test]
    fn all_is_shown_but_passwords() {
        for (url, shown) in [
            ("embedded:./x/store", "embedded:./x/store"),
            (
                "memory:?reserve=1MiB&full=evict",
                "memory:?reserve=1MiB&full=evict",
            ),
            (
                "postgres://ada:pw@db/x?sslmode=require",
                "postgres://ada:[redacted]@db/x?sslmode=require",
            ),
            (
                "postgres://db/x?user=ada&password=pw&Passphrase=x",
                "postgres://db/x?user=ada&password=[redacted]&Passphrase=[redacted]",
            ),
            (
                "mysql://h/d?p%61ssword=pw",
                "mysql://h/d?p%61ssword=[redacted]",
            ),
            (
                "mysql://h/d?password_file=/run/pw",
                "mysql://h/d?password_file=/run/pw",
            ),
            (
                "redis://:p@w@cache:6379/0",
                "redis://:[redacted]@cache:6379/0",
            ),
            ("redis://ada@cache/0", "redis://ada@cache/0"),
            ("redis://cache/0", "redis://cache/0"),
            (
                "redis://a:p?w@cache/0?db=1",
                "redis://a:[redacted]@cache/0?db=1",
            ),
            (
                "redis-cluster://a:one@h1,a:two@h2:7000",
                "redis-cluster://a:[redacted]@h2:7000",
            ),
            (
                "postgres://db/x?password=pw&user=ada@corp",
                "postgres://[redacted]@corp",
            ),
        ] {
            assert_eq!(store_url_shown(url), shown);
        }
    }
}
