//! The key ring of a shared store: nodes agree, or do not start.

use super::{
    pair::{OTHER_SECRET, Pair, SECRET, node},
    place,
};

#[tokio::test]
async fn a_node_with_another_secret_does_not_start() {
    for place in place::each() {
        let first = node(&place, Some(SECRET)).start().await;
        let (status, told) = node(&place, Some(OTHER_SECRET)).fail_to_serve();
        assert_eq!(status, 1, "{told}");
        assert!(
            told.contains("another") || told.contains("was wrapped by"),
            "{told}"
        );
        assert!(
            told.contains("keys.secret") && !told.contains(OTHER_SECRET),
            "{told}"
        );
        let (status, told) = node(&place, None).fail_to_serve();
        assert_eq!(status, 1, "{told}");
        assert!(told.contains("copy keys/encryption.key"), "{told}");
        drop(first);
    }
}

#[tokio::test]
async fn a_copied_key_file_lets_a_second_node_in() {
    for place in place::each() {
        let first = node(&place, None).start().await;
        let second = node(&place, None);
        assert_eq!(second.fail_to_serve().0, 1);
        let key = "keys/encryption.key";
        std::fs::copy(
            first.setup().data_dir().join(key),
            second.data_dir().join(key),
        )
        .unwrap();
        second.start().await;
    }
}

/// What stands in a stolen store neither opens a session nor lets anybody derive the next token.
pub(super) async fn the_keys_are_not_in_the_store(pair: &Pair) {
    use base64::Engine;
    let (_, token) = pair.a.login("alice").await;
    let body = serde_json::json!({"session_token": token});
    pair.a.post("/v1/sessions/renew", &body).await;
    let engine = base64::engine::general_purpose::STANDARD;
    let secret = engine.decode(SECRET).unwrap();
    let url = &pair.place.url;
    let path = url.split(':').nth(1).unwrap().split('?').next().unwrap();
    let mut looked_at = 0;
    for file in files_below(path.as_ref()) {
        let bytes = std::fs::read(&file).unwrap();
        looked_at += bytes.len();
        for needle in [&secret[..], SECRET.as_bytes(), token.as_bytes()] {
            let is_there = bytes.windows(needle.len()).any(|part| part == needle);
            assert!(!is_there, "{file:?}");
        }
    }
    let is_on_disk = ["files:", "sqlite:"]
        .iter()
        .any(|kind| url.starts_with(kind));
    assert_eq!(looked_at > 0, is_on_disk);
}

fn files_below(path: &std::path::Path) -> Vec<std::path::PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| files_below(&entry.path()))
        .collect()
}
