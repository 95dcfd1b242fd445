//! `config print`: the effective configuration as TOML, each value with its origin, secrets redacted.

use super::Loaded;
use std::fmt::Write;

/// The effective configuration as a file that could be read back, except for what is redacted.
///
/// # Errors
/// Where a value has no form in TOML, which would be a fault of ours.
pub fn print(loaded: &Loaded) -> Result<String, toml::ser::Error> {
    // Not the pretty form: here every value is on one line, and the lines can be annotated.
    let plain = toml::to_string(&loaded.config)?;
    let (mut out, mut section, mut rules) =
        (String::with_capacity(plain.len() * 2), String::new(), 0);
    for line in plain.lines() {
        if let Some(name) = line.strip_prefix("[[").and_then(|l| l.strip_suffix("]]")) {
            section = format!("{name}[{rules}]");
            rules += 1;
        } else if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((key, _)) = line.split_once(" = ") {
            let key = if section.is_empty() {
                key.to_owned()
            } else {
                format!("{section}.{key}")
            };
            let _ = writeln!(out, "{line}  # {}", loaded.layers.place(&key));
            continue;
        }
        let _ = writeln!(out, "{line}");
    }
    Ok(out)
}
