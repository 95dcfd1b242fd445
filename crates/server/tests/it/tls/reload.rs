//! SIGHUP exchanges certificate and key; nobody notices but by the certificate.

use super::{Authority, client, start};
use crate::support::{Server, poll};
use reqwest::tls::TlsInfo;
use rustix::process::Signal;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use tokio::task::JoinSet;

/// The certificate that a new connection is shown.
async fn shown(server: &Server, authority: &Authority) -> Vec<u8> {
    let client = client(authority).build().unwrap();
    let response = client.get(server.url("/livez")).send().await.unwrap();
    let info = response.extensions().get::<TlsInfo>().unwrap();
    info.peer_certificate().unwrap().to_vec()
}

/// Sends SIGHUP and waits until the log has this line once more.
fn hang_up(server: &Server, line: &str) {
    let count = || server.stderr().matches(line).count();
    let before = count();
    server.signal(Signal::HUP);
    poll(line, || (count() > before).then_some(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_pair_is_used_at_once_and_no_request_fails() {
    let (server, authority) = start("").await;
    let (stop, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let mut load = JoinSet::new();
    for worker in 0..6 {
        let builder = client(&authority);
        // Half of them keep their connection over all exchanges.
        let builder = if worker % 2 == 0 {
            builder.pool_max_idle_per_host(1)
        } else {
            builder
        };
        let (client, url) = (builder.build().unwrap(), server.url("/livez"));
        let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
        load.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let response = client.get(&url).send().await.unwrap();
                assert_eq!(response.text().await.unwrap(), r#"{"live":true}"#);
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let more = async |count: usize| {
        let wanted = done.load(Ordering::Relaxed) + count;
        while done.load(Ordering::Relaxed) < wanted && load.len() == 6 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    more(30).await;
    for serial in 2..7 {
        let issued = authority.issue(serial);
        issued.write(server.setup().path());
        hang_up(&server, "the certificate was read anew");
        assert_eq!(shown(&server, &authority).await, issued.der);
        more(30).await;
    }
    stop.store(true, Ordering::Relaxed);
    load.join_all().await;
}

// In several threads: an HTTP/2 client that is never polled does not answer the server's farewell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_pair_is_told_and_the_old_one_goes_on() {
    let (mut server, authority) = start("").await;
    let folder = server.setup().path().to_owned();
    let old = shown(&server, &authority).await;
    let next = authority.issue(2);
    let told = "the certificate was not read anew; the old one goes on";
    // Half a renewal: the new certificate beside the old key.
    let key = std::fs::read(folder.join("key.pem")).unwrap();
    next.write(&folder);
    std::fs::write(folder.join("key.pem"), key).unwrap();
    hang_up(&server, told);
    let log = server.stderr();
    let place = "cloakroom.toml:4: server.tls.key_file: the key in key.pem is not that of the first certificate in chain.pem";
    assert!(log.contains(place), "{log}");
    assert_eq!(shown(&server, &authority).await, old);
    std::fs::remove_file(folder.join("chain.pem")).unwrap();
    hang_up(&server, told);
    assert!(
        server
            .stderr()
            .contains("server.tls.certificate: cannot read chain.pem")
    );
    assert_eq!(shown(&server, &authority).await, old);
    // A listener cannot turn into another kind.
    std::fs::write(folder.join("cloakroom.toml"), "").unwrap();
    hang_up(&server, told);
    assert_eq!(shown(&server, &authority).await, old);
    // The other half of the renewal.
    std::fs::write(folder.join("cloakroom.toml"), format!("\n{}", super::FILES)).unwrap();
    next.write(&folder);
    hang_up(&server, "the certificate was read anew");
    assert_eq!(shown(&server, &authority).await, next.der);
    assert!(server.terminate().success());
}

/// The certificate of a test's authority ends in the far future.
#[tokio::test]
async fn the_log_says_how_long_the_certificate_holds() {
    let (server, _) = start("").await;
    let log = server.stderr();
    let line = log
        .lines()
        .find(|line| line.contains("the certificate in use"));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    assert!(
        line.contains("days_left=") && line.contains("not_after=4096-01-01T00:00:00Z"),
        "{line}"
    );
    assert!(line.contains("serial=\"01\""), "{line}");
}
