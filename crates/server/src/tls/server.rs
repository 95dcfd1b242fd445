//! The handshake, with a certificate that can be exchanged while connections go on.

use super::{Fault, Pair, pair::provider};
use parking_lot::RwLock;
use rustls::{ServerConfig, crypto::aws_lc_rs::Ticketer, sign::SingleCertAndKey};
use std::{io, sync::Arc, time::Duration};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_rustls::TlsAcceptor;

/// A TCP connection with TLS on it.
pub type TlsStream = tokio_rustls::server::TlsStream<TcpStream>;

/// The first byte of every TLS connection: the record type "handshake" (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;

/// To a client that speaks plain http. It is not redirected: its request, cookies included, was readable by anybody
/// between, and somebody should notice.
const PLAIN_HTTP: &str = "HTTP/1.1 400 Bad Request\r\n\
    content-type: application/problem+json\r\ncontent-length: 148\r\nconnection: close\r\n\r\n\
    {\"type\":\"urn:cloakroom:problem:malformed-request\",\"title\":\"The request is malformed\",\
    \"status\":400,\"detail\":\"this port speaks https, not plain http\"}";

/// TLS 1.2 and 1.3 for one listener.
#[derive(Debug)]
pub struct ServerTls(RwLock<Arc<ServerConfig>>);

impl ServerTls {
    /// Begins with this pair.
    ///
    /// # Errors
    /// Where the library refuses it.
    pub fn new(pair: Pair) -> Result<Self, Fault> {
        Ok(Self(RwLock::new(config(pair)?)))
    }

    /// Uses this pair for every handshake from now on. Open connections go on; resumption tickets that were given out
    /// under the old key are worth nothing any more.
    ///
    /// # Errors
    /// Where the library refuses it; then the old pair goes on.
    pub fn replace(&self, pair: Pair) -> Result<(), Fault> {
        let new = config(pair)?;
        *self.0.write() = new;
        Ok(())
    }

    /// Does the handshake within `limit`, from the first byte to the last.
    ///
    /// # Errors
    /// A client that is too slow, speaks something else, or finds no version or cipher in common.
    pub async fn handshake(
        &self,
        stream: TcpStream,
        limit: Duration,
    ) -> io::Result<Box<TlsStream>> {
        let config = Arc::clone(&self.0.read());
        let shaken = timeout(limit, async {
            if is_plain_http(&stream).await? {
                refuse_plain_http(stream).await?;
                return Err(io::Error::other("plain http on a port for https"));
            }
            TlsAcceptor::from(config).accept(stream).await
        });
        match shaken.await {
            Ok(done) => done.map(Box::new),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

fn config(pair: Pair) -> Result<Arc<ServerConfig>, Fault> {
    let refused = |error: rustls::Error| Fault::new("certificate", error.to_string());
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair.key)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Sealed tickets instead of a table of sessions: no memory for each client. Their keys change every six hours.
    config.ticketer = Ticketer::new().map_err(refused)?;
    Ok(Arc::new(config))
}

/// A look at the first byte, which stays where it is. A method begins with a letter.
async fn is_plain_http(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [HANDSHAKE];
    stream.peek(&mut first).await?;
    Ok(first[0].is_ascii_alphabetic())
}

/// Answers, and takes what the client still sends for a while: closing with unread bytes would make the system
/// send a reset, and the client might never see the answer.
async fn refuse_plain_http(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(PLAIN_HTTP.as_bytes()).await?;
    stream.shutdown().await?;
    let mut sink = [0; 4096];
    for _ in 0..64 {
        if tokio::io::AsyncReadExt::read(&mut stream, &mut sink).await? == 0 {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_plain_http_is_as_long_as_it_says() {
        let (head, body) = PLAIN_HTTP.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len())),
            "{}",
            body.len()
        );
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
