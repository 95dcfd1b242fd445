//! Passwords, users with few rights, TLS.

use std::path::Path;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use cloakroom_conformance::samples::Sample;
use cloakroom_core::store::{Created, ErrorKind, Store as _, SubjectIndex as _};
use cloakroom_core::{StoreError, SubjectLimit};
use cloakroom_stores::RedisStore;
use cloakroom_stores::redis::Options;
use cloakroom_test_servers::free_port;
use cloakroom_test_servers::redis::Redis;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

async fn connect(url: &str) -> Result<RedisStore, StoreError> {
    let mut options = Options::from_url(url).unwrap();
    // A machine that does much else is no reason to fail.
    options.deadline = Duration::from_secs(2);
    RedisStore::connect(options).await
}

/// A session is kept, listed, found and ended.
async fn works(store: &RedisStore) {
    let now = super::single::now(&AtomicI64::new(0));
    let epoch = store.epoch().await.unwrap();
    let record = Sample::new(now).of("ann", epoch).record();
    let created = store
        .create(record.clone(), SubjectLimit::default(), now)
        .await;
    assert!(matches!(created, Ok(Created::Done(_))), "{created:?}");
    assert!(store.load(record.id).await.unwrap().is_some());
    store.sweep(now, 10).await.unwrap();
    store
        .revoke_all(cloakroom_core::store::Scope::Everything, None, now)
        .await
        .unwrap();
    assert!(store.load(record.id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_user_with_few_rights_is_enough() {
    let redis = Redis::single::<&str>([]);
    // What docs/stores/redis.md says.
    let told = redis.cli([
        "acl",
        "setuser",
        "sessions",
        "on",
        ">s3cret/",
        "resetkeys",
        "~cloakroom:*",
        "-@all",
        "+@read",
        "+@write",
        "+@scripting",
        "+@connection",
        "+time",
        "+wait",
        "+info",
        "+role",
        "-@dangerous",
        "+info",
        "+role",
    ]);
    assert_eq!(told, "OK");
    let addr = redis.addr();
    works(
        &connect(&format!("redis://sessions:s3cret%2F@{addr}"))
            .await
            .unwrap(),
    )
    .await;
    let file = redis.dir().join("password");
    std::fs::write(&file, "s3cret/\n").unwrap();
    let file = file.display();
    let url = format!("redis://{addr}?user=sessions&password_file={file}");
    works(&connect(&url).await.unwrap()).await;
    // It may do nothing elsewhere, nor look around.
    let elsewhere = connect(&format!("redis://sessions:s3cret%2F@{addr}?prefix=x:")).await;
    assert_eq!(elsewhere.unwrap_err().kind(), ErrorKind::Denied);
    let told = redis.cli([
        "--user",
        "sessions",
        "--pass",
        "s3cret/",
        "--no-auth-warning",
        "keys",
        "*",
    ]);
    assert!(told.contains("NOPERM"), "{told}");
    // Without the right to ask for roles it works too, and knows of no replicas.
    redis.cli(["acl", "setuser", "sessions", "-info", "-role"]);
    works(
        &connect(&format!("redis://sessions:s3cret%2F@{addr}"))
            .await
            .unwrap(),
    )
    .await;
}

#[tokio::test]
async fn a_wrong_password_is_denied_and_not_told() {
    let redis = Redis::single(["--requirepass", "right"]);
    let addr = redis.addr();
    works(&connect(&format!("redis://:right@{addr}")).await.unwrap()).await;
    for wrong in [
        format!("redis://:hunter2@{addr}"),
        format!("redis://{addr}"),
    ] {
        let error = connect(&wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn tls_with_and_without_a_certificate_of_ours() {
    let dir = tempfile::tempdir().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    // Unlike the others', or these would look as if they had signed themselves.
    params.distinguished_name.push(DnType::CommonName, "tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let ca_file = write(dir.path(), "ca.pem", &ca.pem());
    let issue = |name: &str, host: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([host.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &ca).unwrap();
        [
            write(dir.path(), &format!("{name}.pem"), &certificate.pem()),
            write(dir.path(), &format!("{name}.key"), &key.serialize_pem()),
        ]
    };
    let ([cert, key], [our_cert, our_key]) = (issue("server", "localhost"), issue("client", "us"));
    let port = free_port().to_string();
    let redis = Redis::single([
        "--tls-port",
        &port,
        "--port",
        "0",
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &ca_file,
        "--tls-auth-clients",
        "yes",
    ]);
    let url = format!("rediss://localhost:{port}?ca_file={ca_file}");
    let whole = format!("{url}&cert_file={our_cert}&key_file={our_key}");
    let mut store = connect(&whole).await;
    // It was just started.
    for _ in 0..500 {
        if store.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        store = connect(&whole).await;
    }
    works(&store.unwrap()).await;
    for wrong in [
        url,
        format!("rediss://localhost:{port}?cert_file={our_cert}&key_file={our_key}"),
        format!(
            "rediss://127.0.0.1:{port}?ca_file={ca_file}&cert_file={our_cert}&key_file={our_key}"
        ),
        format!("redis://localhost:{port}"),
    ] {
        assert!(connect(&wrong).await.is_err(), "{wrong}");
    }
    drop(redis);
}
