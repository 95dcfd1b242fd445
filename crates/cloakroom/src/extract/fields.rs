//! Reading a type from session data, and writing it: each of its top-level fields is a name.

use std::collections::BTreeMap;

use cloakroom_core::change::Edits;
use cloakroom_core::data::{Data, JsonText};
use serde::Serialize;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::session::Error;

type Fields = BTreeMap<String, Box<RawValue>>;

/// The `T` in `data`; what is missing there is as in `T::default()`.
pub(super) fn read<T: Serialize + DeserializeOwned + Default>(data: &Data) -> Result<T, Error> {
    if data.is_empty() {
        return Ok(T::default());
    }
    let stored = T::deserialize(Names {
        entries: data.iter(),
    });
    let Err(error) = stored else {
        return Ok(stored?);
    };
    // Perhaps only a field is missing that was never written: fill it in.
    let defaults = fields(&T::default())?;
    let mut edits = Edits::new();
    for (name, value) in defaults.iter().filter(|(name, _)| data.get(name).is_none()) {
        edits.set(name.as_str(), JsonText::raw(value));
    }
    if edits.is_empty() {
        return Err(error.into());
    }
    Ok(T::deserialize(Names {
        entries: data.apply(&edits).iter(),
    })?)
}

/// What must be written so that what reads as `before` reads as `after`: changed fields only.
pub(super) fn difference<T: Serialize>(before: &Fields, after: &T) -> Result<Edits, Error> {
    let after = fields(after)?;
    let mut edits = Edits::new();
    for (name, value) in &after {
        if before.get(name).is_none_or(|old| old.get() != value.get()) {
            edits.set(name.as_str(), JsonText::raw(value));
        }
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        edits.remove(name.as_str());
    }
    Ok(edits)
}

/// The top-level fields of `value` as JSON.
///
/// # Errors
/// [`Error::Json`] where `value` is not a struct or map.
pub(super) fn fields<T: Serialize>(value: &T) -> Result<Fields, Error> {
    Ok(serde_json::from_str(&serde_json::to_string(value)?)?)
}

/// Session data as a serde struct or map: no tree of values in between.
struct Names<I> {
    entries: I,
}

impl<'a, 'de, I: Iterator<Item = (&'a str, &'a str)>> Deserializer<'de> for Names<I> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_map(Entries {
            entries: self.entries,
            value: None,
        })
    }

    /// Only the names that the type knows, so that others in the session, even with `deny_unknown_fields`, do not matter.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let entries = self.entries.filter(|(name, _)| fields.contains(name));
        visitor.visit_map(Entries {
            entries,
            value: None,
        })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct Entries<'a, I> {
    entries: I,
    value: Option<&'a str>,
}

impl<'a, 'de, I: Iterator<Item = (&'a str, &'a str)>> MapAccess<'de> for Entries<'a, I> {
    type Error = serde_json::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Self::Error> {
        let Some((name, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Self::Error> {
        let text = self
            .value
            .take()
            .ok_or_else(|| serde_json::Error::custom("a value without a name"))?;
        // Owned values only (`DeserializeOwned`), so the reader need not outlive this call.
        let mut json = serde_json::Deserializer::from_reader(text.as_bytes());
        let value = seed.deserialize(&mut json)?;
        json.end()?;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Visit {
        count: u64,
        name: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        tags: Vec<String>,
    }

    fn data(entries: &[(&str, &str)]) -> Data {
        let mut edits = Edits::new();
        for (name, text) in entries {
            edits.set(
                *name,
                JsonText::raw(&RawValue::from_string((*text).to_owned()).unwrap()),
            );
        }
        Data::default().apply(&edits)
    }

    #[test]
    fn missing_fields_are_defaults_and_foreign_names_do_not_matter() {
        let visit: Visit = read(&data(&[("cart", "[1]"), ("name", "\"a\"")])).unwrap();
        assert_eq!(
            visit,
            Visit {
                name: Some("a".into()),
                ..Visit::default()
            }
        );
        assert_eq!(read::<Visit>(&Data::default()).unwrap(), Visit::default());
    }

    #[test]
    fn a_value_of_another_type_is_an_error_and_no_default() {
        assert!(matches!(
            read::<Visit>(&data(&[("count", "\"x\"")])),
            Err(Error::Json(_))
        ));
    }

    #[test]
    fn only_what_changed_is_written() {
        let before = Visit {
            count: 1,
            name: Some("a".into()),
            tags: vec!["t".into()],
        };
        let after = Visit {
            count: 2,
            tags: Vec::new(),
            ..before.clone()
        };
        let edits = difference(&fields(&before).unwrap(), &after).unwrap();
        let names: Vec<_> = edits.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["count", "tags"]);
        assert!(
            difference(&fields(&after).unwrap(), &after)
                .unwrap()
                .is_empty()
        );
    }
}
