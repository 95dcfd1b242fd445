//! Hostile connections: slow ones and large ones.

use super::support::{Server, Setup};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// Sends the bytes and reads until the server closes.
fn send(server: &Server, bytes: &[u8]) -> (String, Duration) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let started = Instant::now();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer);
    assert!(
        !end.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock),
        "the server never closed"
    );
    (
        String::from_utf8_lossy(&answer).into_owned(),
        started.elapsed(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_no_whole_head_is_let_go() {
    let server = Setup::new()
        .env("CLOAKROOM_SERVER__HEAD_TIMEOUT", "1s")
        .start()
        .await;
    for bytes in [
        &b""[..],
        b"PRI * HTTP/2.0\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n",
    ] {
        let (_, took) = send(&server, bytes);
        assert!(
            took < Duration::from_secs(10),
            "{took:?} for {:?}",
            String::from_utf8_lossy(bytes)
        );
    }
}

// CK-15
#[tokio::test(flavor = "multi_thread")]
async fn a_head_over_the_limit_is_431() {
    let server = Server::start().await;
    let large = format!(
        "GET /livez HTTP/1.1\r\nHost: x\r\nCookie: a={}\r\nConnection: close\r\n\r\n",
        "x".repeat(100_000)
    );
    assert!(
        send(&server, large.as_bytes())
            .0
            .starts_with("HTTP/1.1 431")
    );
    let many = format!(
        "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{}\r\n",
        "A: b\r\n".repeat(500)
    );
    assert!(send(&server, many.as_bytes()).0.starts_with("HTTP/1.1 431"));
    let fine = format!(
        "GET /livez HTTP/1.1\r\nHost: x\r\nCookie: a={}\r\nConnection: close\r\n\r\n",
        "x".repeat(16_000)
    );
    assert!(send(&server, fine.as_bytes()).0.starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_http_are_refused() {
    let server = Server::start().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 what a TLS client says first"[..],
        b"GET /\x00 HTTP/1.1\r\n\r\n",
    ] {
        let (answer, _) = send(&server, bytes);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
            "{answer}"
        );
    }
    assert_eq!(server.get("/livez").await.status(), 200);
}
