//! TLS: the server is proven by an authority of the operator's, or not spoken to.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use cloakroom_conformance::samples::Sample;
use cloakroom_core::SubjectLimit;
use cloakroom_core::store::{Created, ErrorKind, Store as _};
use cloakroom_stores::sql::mysql::{MysqlStore, Options};
use cloakroom_test_servers::mariadb::{Mariadb, PASSWORD_IN_URL, USER};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// An authority, and a certificate of it for this machine.
fn certify(folder: &Path) {
    let key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = authority.self_signed(&key).unwrap();
    fs::write(folder.join("ca.pem"), certificate.pem()).unwrap();
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = server.signed_by(&key, &issuer).unwrap();
    fs::write(folder.join("server.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
    let all = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder, all).unwrap();
}

#[tokio::test]
async fn the_server_is_proven_or_not_spoken_to() {
    let folder = tempfile::TempDir::new().unwrap();
    certify(folder.path());
    let other = tempfile::TempDir::new().unwrap();
    certify(other.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let config = [
        format!("--ssl-cert={}", file("server.pem")),
        format!("--ssl-key={}", file("server.key")),
        "--require-secure-transport=ON".to_owned(),
    ];
    let server = tokio::task::spawn_blocking(move || Mariadb::with(config));
    let server = server.await.unwrap();
    server.sql("CREATE DATABASE d");
    let port = server.addr().port();
    let url = format!("mysql://{USER}:{PASSWORD_IN_URL}@127.0.0.1:{port}/d");
    let connect = async |end: &str| {
        let options = Options::from_url(&format!("{url}?{end}")).unwrap();
        MysqlStore::connect(options).await
    };
    let proven = format!("ssl-ca={}", file("ca.pem"));
    let store = connect(&proven).await.unwrap();
    let record = Sample::new(cloakroom_core::Timestamp::from_secs(1 << 34)).record();
    let answer = store.create(record, SubjectLimit::NONE, cloakroom_core::Timestamp::EPOCH);
    assert!(matches!(answer.await.unwrap(), Created::Done(_)));

    let plain = connect("ssl-mode=disabled").await.unwrap_err();
    assert_eq!(plain.kind(), ErrorKind::Denied, "{plain:?}");
    let foreign = format!("ssl-ca={}", other.path().join("ca.pem").display());
    for unproven in [&*foreign, "ssl-mode=verify_identity"] {
        let error = connect(unproven).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        assert!(!format!("{error:?}").contains("c/d"));
    }
}
