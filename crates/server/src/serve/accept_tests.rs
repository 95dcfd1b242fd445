//! Tests of the drain: what is open may finish, what is new is refused, what takes too long is cut off.

use super::*;
use crate::{
    config::{Listen, Period},
    tls::ServerTls,
};
use axum::routing::get;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
};

struct Running {
    address: SocketAddr,
    begun: Arc<Notify>,
    finish: Arc<Notify>,
    stop: watch::Sender<bool>,
    done: JoinHandle<usize>,
}

async fn start(drain: Duration) -> Running {
    start_with(drain, None).await
}

/// A server whose only route begins, says so, and waits to be let go.
async fn start_with(drain: Duration, tls: Option<Arc<ServerTls>>) -> Running {
    let (begun, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (b, f) = (Arc::clone(&begun), Arc::clone(&finish));
    let router = Router::new().route(
        "/",
        get(async move || {
            b.notify_one();
            f.notified().await;
            "finished"
        }),
    );
    let server = Server {
        head_timeout: Period::seconds(60),
        ..Server::default()
    };
    let listener = Listener::bind(&"127.0.0.1:0".parse::<Listen>().unwrap(), tls)
        .await
        .unwrap();
    let address = listener.bound().unwrap();
    let stop = watch::Sender::new(false);
    let done = tokio::spawn(Acceptor::new(listener, router, &server).run(stop.subscribe(), drain));
    Running {
        address,
        begun,
        finish,
        stop,
        done,
    }
}

async fn request(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    stream
}

#[tokio::test]
async fn an_open_request_finishes_and_a_new_connection_is_refused() {
    let running = start(Duration::from_secs(20)).await;
    let mut open = request(running.address).await;
    running.begun.notified().await;
    running.stop.send_replace(true);
    // The listener closes at once, while the request is still open.
    while TcpStream::connect(running.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!running.done.is_finished());
    running.finish.notify_one();
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("finished"),
        "{answer}"
    );
    assert_eq!(running.done.await.unwrap(), 0);
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let running = start(Duration::from_secs(20)).await;
    let mut idle = request(running.address).await;
    running.begun.notified().await;
    running.finish.notify_one();
    let mut some = [0; 16];
    idle.read_exact(&mut some).await.unwrap();
    running.stop.send_replace(true);
    assert_eq!(
        tokio::time::timeout(Duration::from_secs(10), running.done)
            .await
            .unwrap()
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn what_takes_too_long_is_cut_off_and_counted() {
    let running = start(Duration::from_millis(50)).await;
    let _open = request(running.address).await;
    running.begun.notified().await;
    running.stop.send_replace(true);
    assert_eq!(running.done.await.unwrap(), 1);
}

#[cfg(feature = "tls")]
mod over_tls {
    use super::*;
    use crate::{config::Tls, tls::Pair};
    use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
    use tokio_rustls::{TlsConnector, client::TlsStream};

    /// The server's side, and a client that trusts it.
    fn ends() -> (Arc<ServerTls>, TlsConnector) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), certificate.pem()).unwrap();
        let pair = Pair::read(&Tls {
            certificate: file.path().to_owned(),
            key: Some(crate::config::Secret::new(key.serialize_pem())),
            key_file: None,
        });
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let server = ServerTls::new(pair.unwrap()).unwrap();
        (Arc::new(server), Arc::new(client).into())
    }

    async fn request(address: SocketAddr, connector: &TlsConnector) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = connector.connect(name, stream).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        stream
    }

    #[tokio::test]
    async fn an_open_request_finishes_and_is_closed_in_order() {
        let (tls, connector) = ends();
        let running = start_with(Duration::from_secs(20), Some(tls)).await;
        let mut open = request(running.address, &connector).await;
        running.begun.notified().await;
        running.stop.send_replace(true);
        while TcpStream::connect(running.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        running.finish.notify_one();
        let mut answer = String::new();
        // Fails where the connection ends without TLS saying so, as if somebody had cut it.
        open.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("finished"), "{answer}");
        assert_eq!(running.done.await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_handshake_that_was_not_finished_does_not_hold_up_the_end() {
        let (tls, connector) = ends();
        let running = start_with(Duration::from_secs(50), Some(tls)).await;
        let mut slow = TcpStream::connect(running.address).await.unwrap();
        slow.write_all(&[22, 3, 1]).await.unwrap();
        // One that came later has its answer, so the slow one was accepted before.
        let mut open = request(running.address, &connector).await;
        running.begun.notified().await;
        running.finish.notify_one();
        open.read_exact(&mut [0; 16]).await.unwrap();
        running.stop.send_replace(true);
        let done = tokio::time::timeout(Duration::from_secs(10), running.done);
        assert_eq!(done.await.unwrap().unwrap(), 0);
    }
}
