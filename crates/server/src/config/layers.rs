//! One tree of values from all layers, and for each value the place that it came from.

use super::{ConfigError, Place};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// The merged values of all layers given so far. A later layer wins over an earlier one, value by value.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    values: Table,
    places: BTreeMap<String, Place>,
    /// Values that came as bare text (environment, flags), whose type only the reader of the key knows.
    texts: BTreeMap<String, String>,
}

impl Layers {
    /// Puts one value over what is there. `key` has dots between its parts.
    ///
    /// # Errors
    /// Where a part of the key names a value and not a section.
    pub(super) fn set(&mut self, key: &str, value: Value, place: Place) -> Result<(), ConfigError> {
        let (sections, name) = key.rsplit_once('.').unwrap_or(("", key));
        let mut table = &mut self.values;
        for section in sections.split('.').filter(|s| !s.is_empty()) {
            let entry = table
                .entry(section)
                .or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(inner) = entry else {
                return Err(ConfigError::new(
                    place,
                    key,
                    format!("`{section}` is no section"),
                ));
            };
            table = inner;
        }
        table.insert(name.to_owned(), value);
        self.places
            .retain(|known, _| known != key && !is_inside(known, key));
        self.texts.remove(key);
        self.places.insert(key.to_owned(), place);
        Ok(())
    }

    /// As `set`, for a bare text.
    pub(super) fn set_text(
        &mut self,
        key: &str,
        text: String,
        place: Place,
    ) -> Result<(), ConfigError> {
        self.set(key, Value::String(text.clone()), place)?;
        self.texts.insert(key.to_owned(), text);
        Ok(())
    }

    /// Notes where a part of a value stands, for instance one entry of an array.
    pub(super) fn note_place(&mut self, key: &str, place: Place) {
        self.places.insert(key.to_owned(), place);
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        let mut parts = key.split('.');
        let first = self.values.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.as_table()?.get(part))
    }

    pub(super) fn remove(&mut self, key: &str) {
        let Some((sections, name)) = key.rsplit_once('.') else {
            return;
        };
        let mut parts = sections.split('.');
        let first = parts.next().and_then(|first| self.values.get_mut(first));
        let section = parts.try_fold(first, |value, part| {
            Some(value?.as_table_mut()?.get_mut(part))
        });
        if let Some(Some(Value::Table(table))) = section {
            table.remove(name);
            self.places.remove(key);
            self.texts.remove(key);
        }
    }

    pub(super) fn values(&self) -> &Table {
        &self.values
    }

    /// The bare text behind a value that was not given a type yet.
    pub(super) fn take_text(&mut self, key: &str) -> Option<String> {
        self.texts.remove(key)
    }

    /// Gives a bare text its type.
    pub(super) fn retype(&mut self, key: &str, value: Value) -> Result<(), ConfigError> {
        let place = self.place(key);
        self.set(key, value, place)
    }

    /// Where a value stands. For a part of an array without a place of its own, where the array stands; a section that is
    /// begun in the file says nothing about the values that are missing in it.
    #[must_use]
    pub fn place(&self, key: &str) -> Place {
        let mut key = key;
        loop {
            if let Some(place) = self.places.get(key) {
                return place.clone();
            }
            match key.rfind('[') {
                Some(end) => key = &key[..end],
                None => return Place::Default,
            }
        }
    }

    /// An error about this key, at the place where it stands; a section stands where its first value does, and what is
    /// missing stands where its section begins.
    pub(super) fn fail(&self, key: &str, why: impl Into<String>) -> ConfigError {
        let inside = || {
            self.places
                .iter()
                .find(|(known, _)| is_inside(known, key))
                .map(|(_, place)| place)
        };
        let outside = || {
            let mut ends = key.rmatch_indices(['.', '[']).map(|(end, _)| end);
            ends.find_map(|end| self.places.get(&key[..end]))
        };
        let place = self.places.get(key).or_else(inside).or_else(outside);
        ConfigError::new(place.cloned().unwrap_or(Place::Default), key, why)
    }

    /// Notes that the file begins this section, also where nothing stands in it.
    pub(super) fn begin_section(&mut self, key: &str, place: Place) {
        let mut table = &mut self.values;
        for section in key.split('.') {
            let entry = table
                .entry(section)
                .or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(inner) = entry else { return };
            table = inner;
        }
        self.places.insert(key.to_owned(), place);
    }
}

fn is_inside(inner: &str, outer: &str) -> bool {
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_layer_wins_and_takes_the_place_with_it() {
        let mut layers = Layers::default();
        layers
            .set("a.b", Value::Integer(1), Place::Env("FIRST".into()))
            .unwrap();
        layers.note_place("a.b[0]", Place::Env("PART".into()));
        layers
            .set("a.b", Value::Integer(2), Place::Flag("--second"))
            .unwrap();
        assert_eq!(layers.get("a.b"), Some(&Value::Integer(2)));
        assert_eq!(layers.place("a.b[0].c"), Place::Flag("--second"));
        assert_eq!(layers.place("a.x"), Place::Default);
    }

    #[test]
    fn a_value_is_no_section() {
        let mut layers = Layers::default();
        layers.set("a", Value::Integer(1), Place::Default).unwrap();
        let error = layers
            .set("a.b", Value::Integer(2), Place::Flag("--x"))
            .unwrap_err();
        assert_eq!(error.to_string(), "flag --x: a.b: `a` is no section");
    }
}
