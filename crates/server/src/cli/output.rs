//! What a command prints on standard output: text for people, or one JSON document.

use super::Failure;
use serde::Serialize;
use serde_json::Value;
use std::io::Write;

/// How to answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    pub(super) json: bool,
}

impl Output {
    /// The document with `--json`, the text without.
    pub(super) fn answer(
        self,
        document: &Value,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.json {
            self.document(document)
        } else {
            write(text().trim_end())
        }
    }

    /// A document, with or without `--json`.
    pub(super) fn document(self, document: &impl Serialize) -> Result<(), Failure> {
        write(&serde_json::to_string_pretty(document).map_err(Failure::failed)?)
    }
}

/// A text as it is.
pub(super) fn write(text: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout().lock(), "{text}")
        .map_err(|error| Failure::Failed(format!("cannot write the answer: {error}")))
}

/// A table of the named fields of each row. Values come from the store: control characters are escaped.
pub(super) fn table(rows: &[Value], columns: &[&str]) -> String {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| columns.iter().map(|column| cell(&row[*column])).collect())
        .collect();
    let width = |i: usize| {
        cells
            .iter()
            .map(|row| row[i].chars().count())
            .chain([columns[i].len()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let heads = columns
        .iter()
        .map(|c| c.replace('_', " ").to_uppercase())
        .collect();
    let line = |row: &Vec<String>| {
        let padded: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    std::iter::once(&heads)
        .chain(&cells)
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
}

/// A value as a person reads it.
pub(super) fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(truth) => if *truth { "yes" } else { "no" }.to_owned(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    };
    text.chars()
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect::<Vec<_>>()
            } else {
                vec![c]
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_lines_up_and_holds_no_control_characters() {
        let rows = [
            json!({"name": "ada", "roles": ["admin", "x"], "disabled": false}),
            json!({"name": "b\u{1b}\n"}),
        ];
        assert_eq!(
            table(&rows, &["name", "roles", "disabled"]),
            "NAME         ROLES    DISABLED\nada          admin,x  no\nb\\u{1b}\\n    -        -"
                .replace("ada          ", "ada        ")
                .replace("NAME         ", "NAME       ")
                .replace("\\n    -", "\\n  -")
        );
    }
}
