//! What is set by itself where little memory is set aside for sessions: a device whose sessions have two MiB does not want
//! password hashes of nineteen, several at a time.

use super::{Config, Layers, Size, StoreUrl};

/// A memory store that reserves less than this stands on a small device.
const SMALL: Size = Size::kib(8 * 1024);

/// Gives what nobody has set its value for a small device: Argon2id with the least memory on OWASP's list (7 MiB, 5
/// passes), one hash at a time, one thread.
pub(super) fn defaults(config: &mut Config, layers: &Layers) {
    let reserve = config.store.url.as_ref().and_then(reserve);
    if reserve.is_none_or(|reserve| reserve >= SMALL) {
        return;
    }
    // The two are chosen together, or a hash would be weaker than anybody asked for.
    let is_set = |key: &str| layers.get(key).is_some();
    if !is_set("argon2.memory") && !is_set("argon2.iterations") {
        config.argon2.memory = Size::kib(7 * 1024);
        config.argon2.iterations = 5;
    }
    config.argon2.at_once.get_or_insert(1);
    config.server.workers.get_or_insert(1);
}

fn reserve(url: &StoreUrl) -> Option<Size> {
    let query = url.expose().strip_prefix("memory:")?;
    let mut pairs = query.trim_start_matches('?').split('&');
    let value = pairs.find_map(|pair| pair.strip_prefix("reserve="))?;
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Place;

    fn with(url: &str, layers: &Layers) -> Config {
        let mut config = Config::default();
        config.store.url = Some(StoreUrl::new(url.to_owned()));
        defaults(&mut config, layers);
        config
    }

    #[test]
    fn a_small_reserve_spares_memory_elsewhere_too() {
        let config = with("memory:?reserve=2MiB&max_sessions=1", &Layers::default());
        assert_eq!(config.argon2.memory, Size::kib(7 * 1024));
        assert_eq!(config.argon2.iterations, 5);
        assert_eq!(
            (config.argon2.at_once, config.server.workers),
            (Some(1), Some(1))
        );
    }

    #[test]
    fn other_stores_and_what_was_set_stay() {
        for url in ["memory:", "memory:?reserve=8MiB", "embedded:x?reserve=1MiB"] {
            let mut plain = Config::default();
            plain.store.url = Some(StoreUrl::new(url.to_owned()));
            assert_eq!(with(url, &Layers::default()), plain, "{url}");
        }
        let mut layers = Layers::default();
        let place = Place::Flag("--a");
        layers
            .set_text("argon2.iterations", "9".into(), place)
            .unwrap();
        let config = with("memory:?reserve=1MiB", &layers);
        assert_eq!(config.argon2.memory, Config::default().argon2.memory);
    }
}
