//! Blanks comments and literals out of Rust source, so that a rule on code sees code only.
//!
//! A lexer for exactly that and no more; lines keep their numbers.

/// The text with every comment, string and character literal replaced by spaces; newlines stay.
pub(super) fn mask(text: &str) -> String {
    let mut rest = text;
    let mut masked = String::with_capacity(text.len());
    // Whether the character before belongs to a name: the `r` of `for"…"` opens no raw string.
    let mut in_name = false;
    while let Some(first) = rest.chars().next() {
        let hidden = hidden_length(rest, in_name);
        if hidden > 0 {
            let blank = |c: char| if c == '\n' { '\n' } else { ' ' };
            masked.extend(rest[..hidden].chars().map(blank));
            rest = &rest[hidden..];
            in_name = false;
        } else {
            masked.push(first);
            rest = &rest[first.len_utf8()..];
            in_name = first.is_alphanumeric() || first == '_';
        }
    }
    masked
}

/// Bytes of the comment or literal that starts here; 0 if none does.
fn hidden_length(rest: &str, in_name: bool) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    if rest.starts_with('"') {
        return quoted(rest, 0);
    }
    if in_name {
        return 0;
    }
    // b"…", c"…", r"…", r#"…"#, br"…", cr#"…"#; r#name is a name.
    let prefix = ["br", "cr", "r", "b", "c"]
        .into_iter()
        .find(|prefix| rest.starts_with(prefix));
    let Some(prefix) = prefix else { return 0 };
    let after = &rest[prefix.len()..];
    let hashes = after.len() - after.trim_start_matches('#').len();
    match (after[hashes..].starts_with('"'), prefix.ends_with('r')) {
        (true, true) => raw(rest, prefix.len() + hashes + 1, hashes),
        (true, false) if hashes == 0 => quoted(rest, prefix.len()),
        _ => 0,
    }
}

/// Block comments nest in Rust.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// A string with escapes; `open` is where its quote stands.
fn quoted(rest: &str, open: usize) -> usize {
    let mut characters = rest[open + 1..].char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            '"' => return open + 1 + at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn raw(rest: &str, body: usize, hashes: usize) -> usize {
    let close = format!("\"{}", "#".repeat(hashes));
    rest[body..]
        .find(&close)
        .map_or(rest.len(), |at| body + at + close.len())
}

/// `'x'` and `'\n'` are literals, `'a` of a lifetime is not.
fn character(rest: &str) -> usize {
    let mut characters = rest[1..].char_indices();
    match characters.next() {
        Some((_, '\\')) => {
            characters.next();
            let close = characters.find(|(_, c)| *c == '\'');
            close.map_or(rest.len(), |(at, _)| at + 2)
        }
        Some(_) => match characters.next() {
            Some((at, '\'')) => at + 2,
            _ => 0,
        },
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left, without the blanks.
    fn left(text: &str) -> String {
        let masked = mask(text);
        assert_eq!(
            masked.lines().count(),
            text.lines().count(),
            "line numbers must not move"
        );
        masked.split_whitespace().collect()
    }

    #[test]
    fn comments_go() {
        assert_eq!(left("a // x\nb /* y /* z */ y\n */ c /// d"), "abc");
        assert_eq!(left("a /* never closed"), "a");
    }

    #[test]
    fn strings_go() {
        assert_eq!(left(r#"a("x\"y // z", b"q", c"r") b"#), "a(,,)b");
        assert_eq!(left("a(r\"\\\", br##\"x\"# y\"##) b"), "a(,)b");
        assert_eq!(left("a \"two\nlines\" b"), "ab");
    }

    #[test]
    fn lifetimes_and_names_stay() {
        assert_eq!(
            left("fn a<'b>(c: &'b str, r#type: u8) { '\"' ; '\\'' ; 'é' ; b'x' }"),
            "fna<'b>(c:&'bstr,r#type:u8){;;;b}"
        );
        assert_eq!(left("bar\"x\" todo!()"), "bartodo!()");
    }
}
