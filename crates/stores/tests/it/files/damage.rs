//! S-16: whatever is done to the files, it is an error of kind `corrupt` or as it was; never a panic, and never a session
//! that says something else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use cloakroom_conformance::samples::{self, Sample};
use cloakroom_core::record::Epoch;
use cloakroom_core::store::{ErrorKind, Expect, Scope, Store as _, SubjectIndex as _};
use cloakroom_core::{SessionId, SubjectLimit};
use cloakroom_stores::files::format::{Content, LINEAGE_MAX, Marker, content_name};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::conformance::content_of;
use super::{NOW, folder, hostile, open};
use crate::{seed, soak};

const NONE: SubjectLimit = SubjectLimit::NONE;

fn marker_of(folder: &Path, id: SessionId) -> PathBuf {
    let session = content_of(folder, id).parent().unwrap().to_owned();
    let mut files = fs::read_dir(session)
        .unwrap()
        .map(|file| file.unwrap().path());
    let is_marker = |path: &PathBuf| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("h.")
    };
    files.find(is_marker).unwrap()
}

type Damage = fn(&Path, SessionId, SessionId);

const DAMAGES: [(&str, Damage); 8] = [
    ("an empty content", |folder, id, _| {
        fs::write(content_of(folder, id), "").unwrap();
    }),
    ("half a content", |folder, id, _| {
        let path = content_of(folder, id);
        let bytes = fs::read(&path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    }),
    ("zeros for a content", |folder, id, _| {
        let path = content_of(folder, id);
        let len = fs::read(&path).unwrap().len();
        fs::write(path, vec![0; len]).unwrap();
    }),
    ("no content", |folder, id, _| {
        fs::remove_file(content_of(folder, id)).unwrap();
    }),
    ("the content of another session", |folder, id, other| {
        fs::copy(content_of(folder, other), content_of(folder, id)).unwrap();
    }),
    ("the state of another session", |folder, id, other| {
        let (own, other) = (marker_of(folder, id), marker_of(folder, other));
        fs::rename(&own, own.with_file_name(other.file_name().unwrap())).unwrap();
    }),
    ("a state that says another version", |folder, id, _| {
        let path = marker_of(folder, id);
        let name = path.file_name().unwrap().to_str().unwrap();
        fs::rename(&path, path.with_file_name(name.replacen("h.1.", "h.2.", 1))).unwrap();
    }),
    ("no state", |folder, id, _| {
        fs::remove_file(marker_of(folder, id)).unwrap();
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn s_16_damage_of_every_sort_is_an_error() {
    for (what, damage) in DAMAGES {
        let folder = folder();
        let store = open(folder.path()).await;
        let record = Sample::new(NOW).of("ann", Epoch::ZERO).record();
        let other = Sample::new(NOW).of("ann", Epoch::ZERO).record();
        for record in [&record, &other] {
            store.create(record.clone(), NONE, NOW).await.unwrap();
        }
        damage(folder.path(), record.id, other.id);
        let kind = |error: cloakroom_core::StoreError| error.kind();
        let answer = store.load(record.id).await.map(drop);
        assert_eq!(
            answer.map_err(kind),
            Err(ErrorKind::Corrupt),
            "load, {what}"
        );
        let change = samples::set("a", 1);
        let answer = store
            .update(record.id, Expect::Security(1), change, NONE, NOW)
            .await
            .map(drop);
        assert_eq!(
            answer.map_err(kind),
            Err(ErrorKind::Corrupt),
            "update, {what}"
        );
        let answer = store.touch(record.id, record.activity, NOW).await.map(drop);
        assert_eq!(
            answer.map_err(kind),
            Err(ErrorKind::Corrupt),
            "touch, {what}"
        );
        assert_eq!(*store.load(other.id).await.unwrap().unwrap().record, other);
        // It holds up neither a revocation nor a sweep.
        let revoked = store
            .revoke_all(Scope::Everything, None, NOW)
            .await
            .unwrap();
        assert_eq!(revoked.ids, [other.id], "revoked beside {what}");
        while store
            .sweep(NOW.plus(samples::HARD_CAP), 100)
            .await
            .unwrap()
            .more
        {}
    }
}

/// Folders and files are for their owner alone.
#[tokio::test]
async fn nobody_else_may_read() {
    let folder = folder();
    let path = folder.path().join("store");
    let store = open(&path).await;
    let record = Sample::new(NOW).of("ann", Epoch::ZERO).record();
    store.create(record, NONE, NOW).await.unwrap();
    let mut folders = vec![path];
    while let Some(path) = folders.pop() {
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );
        for entry in fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                folders.push(entry.path());
            } else {
                assert_eq!(meta.permissions().mode() & 0o777, 0o600, "{entry:?}");
            }
        }
    }
}

/// Markers and contents come back as they were; whatever is changed in them, they are none, or say the same.
#[test]
fn soak_states_and_contents_come_back_or_are_none() {
    let mut rng = StdRng::seed_from_u64(seed());
    for _ in 0..soak(3_000, 3_000_000) {
        let marker = Marker {
            ended: rng.random(),
            version: rng.random::<u64>() >> rng.random_range(0..64),
            nonce: rng.random(),
            fields: rng.random(),
        };
        let name = marker.name("key");
        assert!(name.len() <= 143, "{name}");
        assert_eq!(Marker::parse("key", &name), Some(marker));
        assert_eq!(Marker::parse("kez", &name), None);
        let mut bytes = name.clone().into_bytes();
        hostile::spoil(&mut bytes, &mut rng);
        hostile::marker(&bytes);
        if bytes != name.as_bytes() {
            let read = std::str::from_utf8(&bytes)
                .ok()
                .and_then(|name| Marker::parse("key", name));
            assert_eq!(read, None, "{name} spoilt");
        }

        let nonce = rng.random();
        let lineage: Vec<u64> = (0..rng.random_range(0..=LINEAGE_MAX))
            .map(|_| rng.random())
            .collect();
        let body: Vec<u8> = (0..rng.random_range(0..80)).map(|_| rng.random()).collect();
        let sealed = Content::seal("key", nonce, &lineage, &body);
        let content = Content { lineage, body };
        assert_eq!(Content::unseal("key", nonce, &sealed), Some(content));
        assert_eq!(Content::unseal("key", nonce ^ 1, &sealed), None);
        let mut bytes = sealed.clone();
        hostile::spoil(&mut bytes, &mut rng);
        hostile::content(&bytes);
        if bytes != sealed {
            assert_eq!(Content::unseal("key", nonce, &bytes), None);
        }
        assert_eq!(content_name(nonce).len(), 18);
    }
}
