//! Tests of what is taken, what is refused, and how it is told.

use super::*;
use crate::config::Secret;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::net::Ipv4Addr;
use tempfile::TempDir;

fn certificate(names: &[&str], key: &KeyPair) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let params = CertificateParams::new(names).unwrap();
    params.self_signed(key).unwrap().pem()
}

/// A folder with both files, and the section that names them.
fn files(certificate: &str, key: &str) -> (TempDir, Tls) {
    let folder = tempfile::tempdir().unwrap();
    let (chain, secret) = (
        folder.path().join("chain.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&chain, certificate).unwrap();
    std::fs::write(&secret, key).unwrap();
    let tls = Tls {
        certificate: chain,
        key: None,
        key_file: Some(secret),
    };
    (folder, tls)
}

#[test]
fn a_pair_shows_nothing_of_its_key() {
    let key = KeyPair::generate().unwrap();
    let (_folder, mut tls) = files(&certificate(&["a.test"], &key), &key.serialize_pem());
    let pair = Pair::read(&tls).unwrap();
    assert!(!pair.has_expired());
    assert_eq!(
        format!("{pair:?}").matches("a.test").count(),
        1,
        "the name and nothing else: {pair:?}"
    );
    // The secret itself in place of its file.
    tls.key_file = None;
    tls.key = Some(Secret::new(key.serialize_pem()));
    assert!(Pair::read(&tls).is_ok());
}

#[test]
fn what_cannot_be_used_is_told_with_the_file_and_without_its_content() {
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let (good, secret) = (certificate(&["a.test"], &key), key.serialize_pem());
    let other = other.serialize_pem();
    let encrypted = secret.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let broken = secret.replacen("M", "?", 1);
    let no_certificate = good.replacen("M", "A", 1);
    for (chain, key, field, why) in [
        (
            &*good,
            &*other,
            "key_file",
            "is not that of the first certificate",
        ),
        (&secret, &secret, "certificate", "holds no certificate"),
        (&good, &good, "key_file", "holds no private key"),
        (
            &good,
            &encrypted,
            "key_file",
            "is encrypted with a passphrase",
        ),
        (&good, &broken, "key_file", "is broken PEM"),
        (&good, "", "key_file", "holds no private key"),
        ("", &secret, "certificate", "holds no certificate"),
        (&no_certificate, &secret, "certificate", "cannot be read"),
    ] {
        let (_folder, tls) = files(chain, key);
        let fault = Pair::read(&tls).unwrap_err();
        assert_eq!(fault.field, field, "{why}: {fault:?}");
        assert!(fault.why.contains(why), "{why}: {fault:?}");
        let file = if field == "certificate" {
            "chain.pem"
        } else {
            "key.pem"
        };
        assert!(fault.why.contains(file), "{fault:?}");
        assert!(
            secret
                .lines()
                .all(|line| line.starts_with("---") || !fault.why.contains(line)),
            "{fault:?}"
        );
    }
    let (folder, tls) = files(&good, &secret);
    std::fs::remove_file(folder.path().join("key.pem")).unwrap();
    let fault = Pair::read(&tls).unwrap_err();
    assert_eq!(fault.field, "key_file");
    assert!(fault.why.contains("cannot read") && fault.why.contains("key.pem"));
}

#[test]
fn addresses_name_a_host_that_the_certificate_names() {
    let key = KeyPair::generate().unwrap();
    let home = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let any = Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    for (names, listen, host) in [
        (&["a.test", "127.0.0.1"][..], home, Some("127.0.0.1")),
        (&["a.test", "127.0.0.1"], any, Some("a.test")),
        (&["*.test", "b.test"], home, Some("b.test")),
        (&["::1"], any, Some("[::1]")),
        (&["*.test"], any, None),
    ] {
        let (_folder, tls) = files(&certificate(names, &key), &key.serialize_pem());
        let pair = Pair::read(&tls).unwrap();
        assert_eq!(pair.host_for(listen).as_deref(), host, "{names:?}");
    }
}

#[test]
fn the_end_is_told_in_days() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["a.test".to_owned()]).unwrap();
    params.not_after = date_time_ymd(2020, 3, 1);
    let certificate = params.self_signed(&key).unwrap();
    let certified = Certified::read(certificate.der()).unwrap();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    for (now, days, soon) in [
        ("2020-01-31T00:00:00Z", 30, false),
        ("2020-02-16T00:00:00Z", 14, false),
        ("2020-02-16T00:00:01Z", 13, true),
        ("2020-03-01T00:00:00Z", 0, true),
        ("2020-03-01T00:00:01Z", -1, true),
    ] {
        assert_eq!(certified.days_left(at(now)), days, "{now}");
        assert_eq!(certified.ends_soon(at(now)), soon, "{now}");
    }
    let (_folder, tls) = files(&certificate.pem(), &key.serialize_pem());
    assert!(Pair::read(&tls).unwrap().has_expired());
}
