//! Session data in request bodies: a JSON object whose values are taken as they are written.

use cloakroom_core::{Edits, JsonText};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap, fmt};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{AdditionalProperties, ObjectBuilder},
    },
};

/// How deep a value may be nested: what common JSON readers follow.
const DEPTH: usize = 100;

/// A JSON object, name by name. A name that stands twice is an error: which one counts is not ours to guess.
#[derive(Debug, Default)]
pub struct Object(BTreeMap<String, JsonText>);

impl Object {
    /// As edits that set every name.
    pub fn into_edits(self) -> Edits {
        let mut edits = Edits::new();
        for (name, value) in self.0 {
            edits.set(name, value);
        }
        edits
    }

    /// Whether `name` is in it.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Names)
    }
}

struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut object = BTreeMap::new();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let value: Box<RawValue> = map.next_value()?;
            if depth(value.get()) > DEPTH {
                return Err(A::Error::custom(format!("`{name}` is nested too deep")));
            }
            if object
                .insert(name.to_string(), JsonText::raw(&value))
                .is_some()
            {
                return Err(A::Error::custom(format!("`{name}` stands twice")));
            }
        }
        Ok(Object(object))
    }
}

/// How deep JSON text, known to be valid, is nested.
fn depth(text: &str) -> usize {
    let (mut now, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

impl PartialSchema for Object {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .into()
    }
}

impl ToSchema for Object {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_spelling_and_doubles_are_refused() {
        let object: Object = serde_json::from_str(r#"{"n": 1.0e2, "s": "ä\u00e4"}"#).unwrap();
        let edits = object.into_edits();
        let data = cloakroom_core::Data::default().apply(&edits);
        assert_eq!(
            (data.get("n"), data.get("s")),
            (Some("1.0e2"), Some("\"ä\\u00e4\""))
        );
        assert!(serde_json::from_str::<Object>(r#"{"a": 1, "a": 2}"#).is_err());
        assert!(serde_json::from_str::<Object>("[]").is_err());
    }

    #[test]
    fn depth_counts_brackets_outside_strings() {
        assert_eq!(depth(r#"{"a": ["]]]\"[", {}]}"#), 3);
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(101), "]".repeat(101));
        assert!(serde_json::from_str::<Object>(&deep).is_err());
    }
}
