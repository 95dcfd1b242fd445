//! Rules on one source file: its first line, its length, and doors that stay shut.

use super::check::SourceFile;
use super::mask::mask;

/// Longer is an error.
const HARD_LIMIT: usize = 800;
/// Longer is a smell.
const SMELL: usize = 400;

/// Code that may not stand anywhere, and what to do instead. Comments and strings do not count.
const FORBIDDEN: [(&str, &str); 4] = [
    (
        "#[ignore",
        "a test that does not run proves nothing: repair it, or make it a `soak_` test",
    ),
    ("todo!", "unfinished code does not land"),
    (
        "#[allow(",
        "write #[expect(…, reason = \"…\")]: it goes away by itself when the cause does",
    ),
    (
        "#![allow(",
        "write #![expect(…, reason = \"…\")]: it goes away by itself when the cause does",
    ),
];

/// What is wrong with the file.
pub(super) fn errors(file: &SourceFile) -> Vec<String> {
    let path = &file.path;
    let mut errors = Vec::new();
    if !file.text.starts_with("//!") {
        errors.push(format!(
            "{path}:1: the first line is not `//!`: say what the file is for"
        ));
    }
    let lines = file.text.lines().count();
    if lines > HARD_LIMIT {
        errors.push(format!("{path}: {lines} lines, the limit is {HARD_LIMIT}"));
    }
    for (number, line) in mask(&file.text).lines().enumerate() {
        // `# [allow (` is the same to the compiler.
        let dense: String = line.split_whitespace().collect();
        for (word, advice) in FORBIDDEN {
            if dense.contains(word) {
                errors.push(format!("{path}:{}: `{word}`: {advice}", number + 1));
            }
        }
    }
    errors
}

/// What deserves a look.
pub(super) fn warnings(file: &SourceFile) -> Option<String> {
    let lines = file.text.lines().count();
    (lines > SMELL).then(|| format!("{:>5} lines  {}", lines, file.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> SourceFile {
        SourceFile {
            path: "a.rs".into(),
            text: text.into(),
        }
    }

    fn only_error(text: &str) -> String {
        let mut errors = errors(&file(text));
        assert_eq!(errors.len(), 1, "{errors:?}");
        errors.remove(0)
    }

    #[test]
    fn the_first_line_says_what_the_file_is() {
        assert!(errors(&file("//! Good.\nfn a() {}\n")).is_empty());
        assert!(only_error("fn a() {}\n").contains("first line"));
        assert!(only_error("// not a doc comment\n").contains("first line"));
        assert!(only_error("").contains("first line"));
    }

    #[test]
    fn long_files_warn_and_longer_ones_fail() {
        let of = |lines: usize| file(&"//!\n".repeat(lines));
        assert!(warnings(&of(400)).is_none() && errors(&of(800)).is_empty());
        assert!(warnings(&of(401)).is_some());
        assert!(only_error(&"//!\n".repeat(801)).contains("801 lines"));
    }

    #[test]
    fn forbidden_words_are_named_with_their_line() {
        for word in [
            "#[ignore]",
            "#[ignore = \"slow\"]",
            "todo!()",
            "#[allow(dead_code)]",
            "# [ allow (x)]",
        ] {
            let error = only_error(&format!("//! A.\n\n{word}\nfn a() {{}}\n"));
            assert!(error.starts_with("a.rs:3: "), "{error}");
        }
        assert!(only_error("//! A.\n#![allow(missing_docs)]\n").starts_with("a.rs:2: "));
    }

    #[test]
    fn forbidden_words_in_comments_and_strings_are_fine() {
        let text = "//! No `todo!` here.\n// #[ignore]\nconst A: &str = \"#[allow(x)]\";\n/* todo! */\n\
                    #[expect(dead_code, reason = \"shown\")]\nfn ignore() {}\n";
        assert!(errors(&file(text)).is_empty());
    }
}
