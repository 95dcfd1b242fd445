//! What a session holds.

use serde_json::{Value, json};

/// The name of the value that is read and counted up.
pub const COUNT: &str = "count";

/// Bytes of the payload as one JSON object.
pub const PAYLOAD_BYTES: usize = 190;

/// Five names, 190 bytes as one JSON object.
#[must_use]
pub fn payload() -> [(&'static str, Value); 5] {
    [
        (COUNT, json!(1000)),
        ("user", json!("5f0c2b1e-84a7-4b6e-9d53-0c1e7a2f6b90")),
        ("email", json!("augustalovelace@analytical.example.org")),
        ("roles", json!(["author", "editor"])),
        ("csrf", json!("q3Zl0bX7nT2vYw8sKp5mRj4uHd6eGf9aLc1oNi0xBtM")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_large_as_the_tables_say() {
        let object: serde_json::Map<_, _> = payload()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        assert_eq!(serde_json::to_string(&object).unwrap().len(), PAYLOAD_BYTES);
    }
}
