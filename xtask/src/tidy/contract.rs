//! Every sentence of the store contract has an id and a conformance case, and no case proves a sentence that is
//! not there.
//!
//! Ids stand in the rustdoc of `crates/core/src/store.rs` and below: `S-01` (store), `R-01` (registry), `I-01`
//! (subject index), `G-01` (replay guard); the suite names them anywhere in `crates/conformance/src`.

use std::collections::BTreeMap;

use super::check::SourceFile;

const CONTRACT_FILE: &str = "crates/core/src/store.rs";
const CONTRACT_FOLDER: &str = "crates/core/src/store/";
const SUITE_FOLDER: &str = "crates/conformance/src/";

/// Compares the two sets.
pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    let contract = ids(
        files,
        |path| path == CONTRACT_FILE || path.starts_with(CONTRACT_FOLDER),
        is_rustdoc,
    );
    let suite = ids(files, |path| path.starts_with(SUITE_FOLDER), |_| true);
    let untested = contract
        .iter()
        .filter(|(id, _)| !suite.contains_key(*id))
        .map(|(id, place)| {
            format!("{place}: contract sentence {id} has no case in {SUITE_FOLDER}")
        });
    let unknown = suite
        .iter()
        .filter(|(id, _)| !contract.contains_key(*id))
        .map(|(id, place)| {
            format!("{place}: {id} is no sentence of the contract in {CONTRACT_FILE}")
        });
    untested.chain(unknown).collect()
}

/// Each id with the place where it stands first.
fn ids(
    files: &[SourceFile],
    is_searched: impl Fn(&str) -> bool,
    counts: impl Fn(&str) -> bool,
) -> BTreeMap<&str, String> {
    let mut found = BTreeMap::new();
    for file in files.iter().filter(|file| is_searched(&file.path)) {
        for (number, line) in file
            .text
            .lines()
            .enumerate()
            .filter(|(_, line)| counts(line))
        {
            for id in ids_in(line) {
                found
                    .entry(id)
                    .or_insert_with(|| format!("{}:{}", file.path, number + 1));
            }
        }
    }
    found
}

fn is_rustdoc(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("///") || line.starts_with("//!")
}

/// All matches of `\b[SRIG]-[0-9]{2}\b`.
fn ids_in(line: &str) -> impl Iterator<Item = &str> {
    const LENGTH: usize = 4;
    let bytes = line.as_bytes();
    let is_word = |at: usize| {
        bytes
            .get(at)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    };
    let is_id = move |at: &usize| {
        let id = &bytes[*at..*at + LENGTH];
        let free = (*at == 0 || !is_word(at - 1)) && !is_word(at + LENGTH);
        free && b"SRIG".contains(&id[0]) && id[1] == b'-' && id[2..].iter().all(u8::is_ascii_digit)
    };
    (0..(bytes.len() + 1).saturating_sub(LENGTH))
        .filter(is_id)
        .map(move |at| &line[at..at + LENGTH])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile {
            path: path.into(),
            text: text.into(),
        }
    }

    #[test]
    fn ids_are_whole_words() {
        let found: Vec<&str> =
            ids_in("S-01, (R-22) RG-04 S-256 xI-01 `G-99`: S-1 OW-10 I-07").collect();
        assert_eq!(found, ["S-01", "R-22", "G-99", "I-07"]);
        assert_eq!(ids_in("é—S-0").count(), 0);
    }

    #[test]
    fn both_sides_agree() {
        let files = [
            file("crates/core/src/store.rs", "/// S-01: fails if present.\n"),
            file(
                "crates/core/src/store/registry.rs",
                "    //! R-01: compare and set.\n",
            ),
            file("crates/conformance/src/store.rs", "case(\"S-01\");\n"),
            file("crates/conformance/src/registry.rs", "// R-01\n"),
        ];
        assert_eq!(check(&files), Vec::<String>::new());
    }

    #[test]
    fn a_sentence_without_a_case_fails() {
        let files = [file(
            "crates/core/src/store.rs",
            "//! Store.\n/// S-01: fails if present.\n",
        )];
        assert_eq!(check(&files).len(), 1);
        assert!(check(&files)[0].starts_with("crates/core/src/store.rs:2: contract sentence S-01"));
    }

    #[test]
    fn a_case_without_a_sentence_fails() {
        let files = [
            // Mentioned in code, not in rustdoc: no sentence.
            file("crates/core/src/store.rs", "//! Store.\n// S-09\n"),
            file("crates/conformance/src/deep/er.rs", "//! S-09\n"),
        ];
        assert_eq!(check(&files).len(), 1);
        assert!(
            check(&files)[0]
                .starts_with("crates/conformance/src/deep/er.rs:1: S-09 is no sentence")
        );
    }

    #[test]
    fn other_crates_may_say_what_they_like() {
        assert!(check(&[file("crates/stores/src/lib.rs", "//! S-77\n")]).is_empty());
    }
}
