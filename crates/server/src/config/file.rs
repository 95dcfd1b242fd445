//! The layer of the configuration file, with the line of every value.

use super::{ConfigError, Layers, Place};
use std::{path::Path, path::PathBuf, sync::Arc};
use toml::{
    Spanned, Table, Value,
    de::{DeTable, DeValue},
};

/// Reads the file into the layers.
///
/// # Errors
/// Where the file cannot be read, is not UTF-8 or not TOML.
pub(super) fn read(layers: &mut Layers, path: &Path) -> Result<(), ConfigError> {
    let place = |line| Place::File(Arc::new(path.to_path_buf()), line);
    let bytes = std::fs::read(path)
        .map_err(|error| ConfigError::new(place(1), "", format!("cannot read: {error}")))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()]
            .iter()
            .filter(|b| **b == b'\n')
            .count();
        ConfigError::new(place(line), "", "not UTF-8")
    })?;
    parse(layers, text, path)
}

/// As `read`, for a text at hand.
pub(super) fn parse(layers: &mut Layers, text: &str, path: &Path) -> Result<(), ConfigError> {
    let lines = Lines {
        text,
        path: Arc::new(path.to_path_buf()),
    };
    let table = DeTable::parse(text).map_err(|error| {
        ConfigError::new(
            lines.place(error.span().map_or(0, |s| s.start)),
            "",
            error.message(),
        )
    })?;
    lines.table(layers, "", table.get_ref())
}

struct Lines<'t> {
    text: &'t str,
    path: Arc<PathBuf>,
}

impl Lines<'_> {
    fn place(&self, offset: usize) -> Place {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        Place::File(
            Arc::clone(&self.path),
            1 + before.iter().filter(|b| **b == b'\n').count(),
        )
    }

    fn table(
        &self,
        layers: &mut Layers,
        prefix: &str,
        table: &DeTable<'_>,
    ) -> Result<(), ConfigError> {
        for (name, value) in table {
            let key = if prefix.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{prefix}.{}", name.get_ref())
            };
            let place = self.place(name.span().start);
            // A dot inside a quoted key would be taken for two keys.
            if name.get_ref().contains('.') {
                return Err(ConfigError::new(place, key, "unknown key"));
            }
            if let DeValue::Table(inner) = value.get_ref() {
                layers.begin_section(&key, place);
                self.table(layers, &key, inner)?;
            } else {
                layers.set(&key, self.value(&key, value)?, place)?;
                self.note_parts(layers, &key, value);
            }
        }
        Ok(())
    }

    fn note_parts(&self, layers: &mut Layers, key: &str, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    let key = format!("{key}[{i}]");
                    layers.note_place(&key, self.place(item.span().start));
                    self.note_parts(layers, &key, item);
                }
            }
            DeValue::Table(table) => {
                for (name, inner) in table {
                    let key = format!("{key}.{}", name.get_ref());
                    layers.note_place(&key, self.place(name.span().start));
                    self.note_parts(layers, &key, inner);
                }
            }
            _ => {}
        }
    }

    fn value(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<Value, ConfigError> {
        let fail = |why: &str| ConfigError::new(self.place(value.span().start), key, why);
        Ok(match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Integer(number) => Value::Integer(
                i64::from_str_radix(number.as_str(), number.radix())
                    .map_err(|_| fail("the number is too large"))?,
            ),
            DeValue::Float(number) => {
                Value::Float(number.as_str().parse().map_err(|_| fail("not a number"))?)
            }
            DeValue::Boolean(truth) => Value::Boolean(*truth),
            DeValue::Datetime(time) => Value::Datetime(*time),
            DeValue::Array(items) => Value::Array(
                items
                    .iter()
                    .map(|item| self.value(key, item))
                    .collect::<Result<_, _>>()?,
            ),
            DeValue::Table(table) => Value::Table(
                table
                    .iter()
                    .map(|(name, inner)| Ok((name.get_ref().to_string(), self.value(key, inner)?)))
                    .collect::<Result<Table, _>>()?,
            ),
        })
    }
}
