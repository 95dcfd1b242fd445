//! The layer of the environment: `CLOAKROOM_SESSION__IDLE_TIMEOUT` is `session.idle_timeout`.

use super::{ConfigError, Layers, Place};
use std::ffi::OsString;

const PREFIX: &str = "CLOAKROOM_";

/// Short names for what is set most often.
const ALIASES: [(&str, &str); 7] = [
    ("LISTEN", "server.listen"),
    ("PUBLIC_URL", "server.public_url"),
    ("BASE_PATH", "server.base_path"),
    ("DATA_DIR", "server.data_dir"),
    ("STORE", "store.url"),
    ("STORE_FILE", "store.url_file"),
    ("LOG", "log.format"),
];

/// What the command line reads itself.
const NOT_CONFIGURATION: [&str; 5] = ["API_KEY", "API_KEY_FILE", "CA_FILE", "CONFIG", "SERVER"];

/// The configuration key that a variable sets: `Ok(None)` where the variable is none of ours.
///
/// # Errors
/// Where the variable carries our prefix and names no key.
pub(super) fn key_of(variable: &str) -> Result<Option<String>, String> {
    let Some(name) = variable.strip_prefix(PREFIX) else {
        return Ok(None);
    };
    if NOT_CONFIGURATION.contains(&name) || is_from_kubernetes(name) {
        return Ok(None);
    }
    if let Some((_, key)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
        return Ok(Some((*key).to_owned()));
    }
    let well_formed = name
        .bytes()
        .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    let parts: Vec<&str> = name.split("__").collect();
    if !well_formed
        || parts.len() < 2
        || parts
            .iter()
            .any(|part| part.is_empty() || part.starts_with('_') || part.ends_with('_'))
    {
        return Err("unknown variable: a key is written CLOAKROOM_SECTION__KEY, with two underscores for the dot".into());
    }
    Ok(Some(parts.join(".").to_ascii_lowercase()))
}

/// Kubernetes puts these into every pod beside a service that is called `cloakroom`; they are not meant for us.
fn is_from_kubernetes(name: &str) -> bool {
    name == "PORT"
        || name.starts_with("PORT_")
        || name.starts_with("SERVICE_HOST")
        || name.starts_with("SERVICE_PORT")
}

/// Reads the variables into the layers.
///
/// # Errors
/// Where a variable with our prefix names no key or is not UTF-8.
pub(super) fn read(
    layers: &mut Layers,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(), ConfigError> {
    let mut ours: Vec<(String, OsString)> = variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    // In a fixed order, so that of several faults always the same one is told.
    ours.sort();
    for (name, value) in ours {
        let place = Place::Env(name.clone());
        let Some(key) = key_of(&name).map_err(|why| ConfigError::new(place.clone(), "", why))?
        else {
            continue;
        };
        let text = value
            .into_string()
            .map_err(|_| ConfigError::new(place.clone(), &key, "not UTF-8"))?;
        layers.set_text(&key, text, place)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_become_keys() {
        for (name, key) in [
            ("CLOAKROOM_LISTEN", Some("server.listen")),
            ("CLOAKROOM_STORE", Some("store.url")),
            (
                "CLOAKROOM_SESSION__IDLE_TIMEOUT",
                Some("session.idle_timeout"),
            ),
            ("CLOAKROOM_API_KEY", None),
            ("CLOAKROOM_PORT_7878_TCP_ADDR", None),
            ("CLOAKROOM_SERVICE_HOST", None),
            ("PATH", None),
        ] {
            assert_eq!(key_of(name).unwrap().as_deref(), key, "{name}");
        }
    }

    #[test]
    fn other_names_with_our_prefix_are_errors() {
        for name in [
            "CLOAKROOM_LISTENN",
            "CLOAKROOM_",
            "CLOAKROOM___X",
            "CLOAKROOM_session__idle_timeout",
            "CLOAKROOM_A__",
        ] {
            assert!(key_of(name).is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_key_has_a_name(section in "[a-z]{1,9}", key in "[a-z]{1,6}(_[a-z]{1,6}){0,2}") {
            let name = format!("CLOAKROOM_{}__{}", section.to_uppercase(), key.to_uppercase());
            prop_assume!(!is_from_kubernetes(&name[PREFIX.len()..]));
            prop_assert_eq!(key_of(&name).unwrap().unwrap(), format!("{section}.{key}"));
        }

        #[test]
        fn no_name_makes_it_panic(name in "CLOAKROOM_\\PC*") {
            let _ = key_of(&name);
        }
    }
}
