//! Nodes that share a store agree on one key, and a store that is stolen does not hold it.

use super::*;
use crate::config::{Keys, Secret};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use cloakroom_core::{
    Timestamp,
    store::{Expected, Kind, memory::MemoryRegistry},
};
use std::{fs, path::Path};
use tempfile::TempDir;

fn registry() -> DynRegistry {
    DynRegistry::new(MemoryRegistry::default())
}

fn with_secret(byte: u8) -> Keys {
    Keys {
        secret: Some(Secret::new(STANDARD.encode([byte; 32]))),
        secret_file: None,
    }
}

/// A data directory's `keys/`.
fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    (folder, path)
}

async fn node(
    keys: &Keys,
    folder: Option<&Path>,
    registry: &DynRegistry,
) -> Result<Bytes32, String> {
    of_all_nodes(keys, folder.map(Path::to_owned), registry).await
}

async fn stored(registry: &DynRegistry) -> Bytes {
    let entry = registry.get(Kind::Ring, "renewal", Timestamp::EPOCH).await;
    entry.unwrap().unwrap().value
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|part| part == needle)
}

#[tokio::test]
async fn nodes_with_one_secret_agree_and_another_secret_is_refused() {
    let registry = registry();
    let first = node(&with_secret(1), None, &registry).await.unwrap();
    let (_kept, other) = folder();
    assert_eq!(
        node(&with_secret(1), Some(&other), &registry)
            .await
            .unwrap(),
        first
    );
    let told = node(&with_secret(2), Some(&other), &registry)
        .await
        .unwrap_err();
    assert!(
        told.contains("keys.secret") && told.contains("encryption.key"),
        "{told}"
    );
    // A node that was refused has changed nothing.
    assert_eq!(node(&with_secret(1), None, &registry).await.unwrap(), first);
    assert!(fs::read_dir(&other).unwrap().next().is_none());
}

#[tokio::test]
async fn nodes_that_start_together_agree() {
    let registry = registry();
    let starting = (0..16).map(|_| {
        let registry = registry.clone();
        tokio::spawn(async move { node(&with_secret(1), None, &registry).await.unwrap() })
    });
    let starting: Vec<_> = starting.collect();
    let mut keys = Vec::new();
    for node in starting {
        keys.push(node.await.unwrap());
    }
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[tokio::test]
async fn a_copied_key_file_opens_the_ring_and_none_is_made_in_its_place() {
    let registry = registry();
    let ((_a, first), (_b, second)) = (folder(), folder());
    let none = Keys::default();
    let key = node(&none, Some(&first), &registry).await.unwrap();
    let told = node(&none, Some(&second), &registry).await.unwrap_err();
    assert!(told.contains("copy keys/encryption.key"), "{told}");
    assert!(told.contains(second.to_str().unwrap()), "{told}");
    fs::copy(first.join(WRAPPING), second.join(WRAPPING)).unwrap();
    assert_eq!(node(&none, Some(&second), &registry).await.unwrap(), key);
    // The same bytes from the configuration.
    let as_secret = Keys {
        secret: Some(Secret::new(
            STANDARD.encode(fs::read(first.join(WRAPPING)).unwrap()),
        )),
        secret_file: None,
    };
    assert_eq!(node(&as_secret, None, &registry).await.unwrap(), key);
    let told = node(&none, None, &registry).await.unwrap_err();
    assert!(told.contains("keys.secret"), "{told}");
}

#[tokio::test]
async fn a_stolen_store_does_not_hold_the_key() {
    for keys in [Keys::default(), with_secret(7)] {
        let (registry, (_kept, folder)) = (registry(), folder());
        let key = node(&keys, Some(&folder), &registry).await.unwrap();
        let value = stored(&registry).await;
        let ring: serde_json::Value = serde_json::from_slice(&value).unwrap();
        let wrapped = STANDARD.decode(ring["wrapped"].as_str().unwrap()).unwrap();
        let mut secrets = vec![key.to_vec(), vec![7; 32]];
        secrets.extend(fs::read(folder.join(WRAPPING)));
        for secret in secrets {
            assert!(!holds(&wrapped, &secret) && !holds(&value, &secret));
            assert!(!holds(&value, STANDARD.encode(&secret).as_bytes()));
        }
    }
}

#[tokio::test]
async fn a_node_that_served_alone_brings_its_key() {
    let (_kept, alone) = folder();
    let none = Keys::default();
    let before = of_this_node(&none, Some(alone.clone())).unwrap();
    assert_eq!(
        node(&none, Some(&alone), &registry()).await.unwrap(),
        before
    );
    let before = of_this_node(&with_secret(1), None).unwrap();
    assert_eq!(
        node(&with_secret(1), None, &registry()).await.unwrap(),
        before
    );
}

#[tokio::test]
async fn a_ring_that_cannot_be_read_is_told_and_stays() {
    let keys = with_secret(1);
    let ring = registry();
    node(&keys, None, &ring).await.unwrap();
    let good: serde_json::Value = serde_json::from_slice(&stored(&ring).await).unwrap();
    let cut = {
        let mut cut = good.clone();
        cut["wrapped"] = "AAAA".into();
        cut.to_string()
    };
    for (value, word) in [
        ("{".to_owned(), "damaged"),
        (cut, "damaged"),
        (r#"{"v":2}"#.to_owned(), "form 2"),
    ] {
        let (registry, bytes) = (registry(), Bytes::from(value));
        let any = Expected::Anything;
        let put = registry.put(
            Kind::Ring,
            "renewal",
            any,
            Some(bytes.clone()),
            None,
            Timestamp::EPOCH,
        );
        put.await.unwrap();
        let told = node(&keys, None, &registry).await.unwrap_err();
        assert!(told.contains(word), "{told}");
        assert_eq!(stored(&registry).await, bytes);
    }
}
