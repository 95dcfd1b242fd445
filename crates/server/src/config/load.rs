//! Puts the layers together: defaults, file, environment, flags; then types, then rules.

use super::{
    Config, ConfigError, Layers, Place, Secret, StoreUrl, default_cookie_name, env, file, scarce,
    validate,
};
use std::{ffi::OsString, path::Path, path::PathBuf};
use toml::Value;

/// The file that is read where none is named, if it exists.
const DEFAULT_FILE: &str = "cloakroom.toml";

/// Every secret `X`: `X_file` may stand in its place.
const SECRETS: [&str; 4] = [
    "store.url",
    "bootstrap.api_key",
    "keys.secret",
    "server.tls.key",
];

/// What the command line says about the configuration: the flag, its key, its text.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`, or `CLOAKROOM_CONFIG`.
    pub file: Option<PathBuf>,
    /// The flags that are keys.
    pub values: Vec<(&'static str, &'static str, String)>,
}

/// A configuration that passed all rules, with the places that its values came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The effective configuration.
    pub config: Config,
    /// Where each value stands.
    pub layers: Layers,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

/// Loads the configuration of this process.
///
/// # Errors
/// The first fault that is found, with its place and key.
pub fn load(flags: &Flags) -> Result<Loaded, ConfigError> {
    load_from(flags, std::env::vars_os())
}

/// As `load`, with an environment of the caller's choice.
pub(super) fn load_from(
    flags: &Flags,
    env: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Loaded, ConfigError> {
    let mut layers = Layers::default();
    let named = flags.file.clone();
    let file = named.or_else(|| {
        Path::new(DEFAULT_FILE)
            .exists()
            .then(|| DEFAULT_FILE.into())
    });
    let layer = |layers: &mut Layers,
                 add: &mut dyn FnMut(&mut Layers) -> Result<(), ConfigError>| {
        let before = layers.clone();
        add(layers)?;
        settle_secrets(layers, &before)
    };
    if let Some(path) = &file {
        layer(&mut layers, &mut |layers| file::read(layers, path))?;
    }
    let mut env = Some(env);
    layer(&mut layers, &mut |layers| {
        env.take().map_or(Ok(()), |env| env::read(layers, env))
    })?;
    layer(&mut layers, &mut |layers| {
        flags
            .values
            .iter()
            .try_for_each(|(flag, key, text)| layers.set_text(key, text.clone(), Place::Flag(flag)))
    })?;
    let (config, layers) = finish(layers)?;
    Ok(Loaded {
        config,
        layers,
        file,
    })
}

/// Within one layer `X` and `X_file` exclude each other; across layers the later one wins.
fn settle_secrets(layers: &mut Layers, before: &Layers) -> Result<(), ConfigError> {
    for secret in SECRETS {
        let by_file = format!("{secret}_file");
        let is_new = |key: &str| {
            layers.get(key).is_some()
                && (before.get(key).is_none() || before.place(key) != layers.place(key))
        };
        match (is_new(secret), is_new(&by_file)) {
            (true, true) => {
                return Err(layers.fail(
                    &by_file,
                    format!("{secret} is given as well: one of them only"),
                ));
            }
            (true, false) => layers.remove(&by_file),
            (false, true) => layers.remove(secret),
            (false, false) => {}
        }
    }
    Ok(())
}

pub(super) fn finish(mut layers: Layers) -> Result<(Config, Layers), ConfigError> {
    let mut config = typed(&mut layers)?;
    read_secret_files(&mut config, &mut layers)?;
    let server = &config.server;
    if config.store.url.is_none() {
        let path = server.data_dir.join("store");
        let url = if server.ephemeral {
            "memory:".into()
        } else {
            format!("embedded:{}", path.display())
        };
        config.store.url = Some(StoreUrl::new(url));
    }
    if config.cookie.name.is_none() {
        let name = default_cookie_name(server.cookies_are_secure(), config.cookie.domain.is_some());
        config.cookie.name = Some(name.to_owned());
    }
    scarce::defaults(&mut config, &layers);
    validate::check(&config, &layers)?;
    Ok((config, layers))
}

/// Gives every value its type. A bare text is tried as text first, then as what it looks like: only the key knows.
fn typed(layers: &mut Layers) -> Result<Config, ConfigError> {
    loop {
        let error = match serde_path_to_error::deserialize(Value::Table(layers.values().clone())) {
            Ok(config) => return Ok(config),
            Err(error) => error,
        };
        let key = error.path().to_string();
        let why = error.into_inner().message().to_owned();
        let text = layers.take_text(&key);
        match text.and_then(|text| other_reading(&text, &why)) {
            Some(value) => layers.retype(&key, value)?,
            // serde quotes the value that it could not take.
            None if SECRETS.contains(&&*key) => return Err(layers.fail(&key, "is not a text")),
            None => return Err(layers.fail(&key, shorter(&why))),
        }
    }
}

fn other_reading(text: &str, why: &str) -> Option<Value> {
    if why.contains("expected a sequence") {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        return Some(Value::Array(
            parts.map(|part| Value::String(part.to_owned())).collect(),
        ));
    }
    text.parse()
        .map(Value::Boolean)
        .or_else(|_| text.parse().map(Value::Integer))
        .ok()
}

/// serde lists every key of a section after an unknown one; the first words say all that one line needs.
fn shorter(why: &str) -> String {
    match why.split_once(", expected one of") {
        Some((front, known)) if front.starts_with("unknown field") => {
            format!(
                "unknown key (known here: {})",
                known.trim().replace('`', "")
            )
        }
        _ => why.replacen("unknown field", "unknown key", 1),
    }
}

fn read_secret_files(config: &mut Config, layers: &mut Layers) -> Result<(), ConfigError> {
    if let Some(path) = config.store.url_file.clone() {
        let url = read_secret(layers, "store.url", &path)?;
        config.store.url = Some(StoreUrl::new(url));
    }
    if let Some(path) = config.keys.secret_file.clone() {
        config.keys.secret = Some(Secret::new(read_secret(layers, "keys.secret", &path)?));
    }
    // This one may be missing: then the server makes the key and writes it there.
    if let Some(path) = config
        .bootstrap
        .api_key_file
        .clone()
        .filter(|path| path.exists())
    {
        config.bootstrap.api_key = Some(Secret::new(read_secret(
            layers,
            "bootstrap.api_key",
            &path,
        )?));
    }
    Ok(())
}

fn read_secret(layers: &mut Layers, secret: &str, path: &Path) -> Result<String, ConfigError> {
    let key = format!("{secret}_file");
    let text = std::fs::read_to_string(path)
        .map_err(|error| layers.fail(&key, format!("cannot read {}: {error}", path.display())))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(layers.fail(&key, format!("{} is empty", path.display())));
    }
    let place = Place::SecretFile(path.to_path_buf(), Box::new(layers.place(&key)));
    layers.note_place(secret, place);
    Ok(text.to_owned())
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
