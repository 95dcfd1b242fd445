//! Session data in request bodies: a JSON object whose values are taken as they are written.

use cloakroom_core::{Edits, JsonText};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap, fmt};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{AdditionalProperties, ObjectBuilder, Type},
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
        while let Some(name) = map.next_key::<Text<'de>>()?.map(|name| name.0) {
            let value: Box<RawValue> = map.next_value()?;
            check(&value, 1).map_err(|why| A::Error::custom(format!("`{name}` {why}")))?;
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

/// Checks a value that a parser has accepted as JSON: not nested too deep, no member twice at any depth, and text that is
/// Unicode (RFC 7493 section 2), so that every reader sees the same value. Numbers stay as they are written.
fn check(value: &RawValue, depth: usize) -> Result<(), &'static str> {
    match value.get().as_bytes().first() {
        Some(b'{' | b'[') if depth > DEPTH => Err("is nested too deep"),
        Some(b'{') => {
            let members: Members<'_> =
                serde_json::from_str(value.get()).map_err(|_| "has a member twice")?;
            members
                .0
                .values()
                .try_for_each(|value| check(value, depth + 1))
        }
        Some(b'[') => {
            let items: Vec<&RawValue> =
                serde_json::from_str(value.get()).map_err(|_| "is no JSON")?;
            items
                .into_iter()
                .try_for_each(|value| check(value, depth + 1))
        }
        Some(b'"') => {
            let text = serde_json::from_str::<Cow<'_, str>>(value.get());
            text.map(drop).map_err(|_| "has text that is not Unicode")
        }
        _ => Ok(()),
    }
}

/// An object whose members are all different.
struct Members<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    if members.insert(name.0, value).is_some() {
                        return Err(A::Error::custom("a member stands twice"));
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Each)
    }
}

/// Text that borrows where it has no escapes; a plain `Cow` never does.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl PartialSchema for Object {
    fn schema() -> RefOr<Schema> {
        let name = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(256))
            .pattern(Some(super::view::NO_CONTROL));
        ObjectBuilder::new()
            .property_names(Some(name))
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
    fn values_are_checked_at_every_depth() {
        let nested = |depth| format!(r#"{{"a": {}1{}}}"#, "[".repeat(depth), "]".repeat(depth));
        let deep_double = r#"{"a": [{"b": {"c": 1, "c": 1}}]}"#;
        let escaped_double = r#"{"a": {"b": 1, "\u0062": 1}}"#;
        let surrogate = r#"{"a": ["\ud800"]}"#;
        for refused in [&nested(101), deep_double, escaped_double, surrogate] {
            assert!(
                serde_json::from_str::<Object>(refused).is_err(),
                "{refused}"
            );
        }
        let pair = r#"{"a": "\ud83d\ude00", "b": 1e999, "c": "]]]"}"#;
        for taken in [&nested(100), pair] {
            assert!(serde_json::from_str::<Object>(taken).is_ok(), "{taken}");
        }
    }
}
