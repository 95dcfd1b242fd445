//! A protected connection: the server must prove who it is.

use std::path::Path;
use std::process::Command;

use cloakroom_conformance::samples::Sample;
use cloakroom_core::store::ErrorKind;
use cloakroom_test_servers::postgres::Postgres;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::kit::{create, now, open, refused};

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Writes a file that the server may read, whoever it runs as.
fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    let own = Command::new("chown")
        .arg("-R")
        .arg("nobody")
        .arg(folder)
        .status();
    let close = Command::new("chmod").arg("600").arg(&path).status();
    assert!(own.is_ok() && close.is_ok());
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_proven_or_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &own).unwrap();
    let certificate = write(folder.path(), "server.pem", &certificate.pem());
    let key = write(folder.path(), "server.key", &key.serialize_pem());
    let authority = write(folder.path(), "own.pem", &own.pem());
    let stranger = write(folder.path(), "other.pem", &other.pem());
    let server = Postgres::start(&[
        "ssl=on",
        &format!("ssl_cert_file={certificate}"),
        &format!("ssl_key_file={key}"),
    ]);
    let port = server.address().port();
    let url = |host: &str, authority: &str| {
        let authority = authority.replace('/', "%2F");
        format!("postgres://postgres:secret@{host}:{port}/postgres?sslrootcert={authority}")
    };
    let store = open(&url("localhost", &authority)).await.unwrap();
    create(&store, &Sample::new(now()).record()).await;
    // Of another authority, under another name, and without an authority at all.
    let foreign = open(&url("localhost", &stranger)).await;
    assert_eq!(refused(foreign, "secret"), ErrorKind::Unavailable);
    let misnamed = open(&url("127.0.0.1", &authority)).await;
    assert_eq!(refused(misnamed, "secret"), ErrorKind::Unavailable);
    let nothing = open(&url("localhost", "/nowhere.pem")).await;
    assert_eq!(refused(nothing, "secret"), ErrorKind::Denied);
}
