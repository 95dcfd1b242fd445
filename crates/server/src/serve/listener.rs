//! Where connections come from: TCP or a unix socket, behind one `accept`.

use crate::{
    config::Listen,
    http::Peer,
    tls::{ServerTls, TlsStream},
};
use std::{
    fmt, io,
    net::SocketAddr,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
};

/// A bound listener. A unix socket's file is removed when it is dropped.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener, Option<Arc<ServerTls>>),
    Unix(UnixListener, SocketFile),
}

#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Binds the address, for https where there is a `tls`. A socket file that nobody answers at is left over from a
    /// killed process and is replaced.
    pub(super) async fn bind(listen: &Listen, tls: Option<Arc<ServerTls>>) -> Result<Self, String> {
        let told = |error: io::Error| format!("cannot listen on {listen}: {error}");
        match listen {
            Listen::Tcp(address) => TcpListener::bind(address)
                .await
                .map(|listener| Self::Tcp(listener, tls))
                .map_err(told),
            Listen::Unix(path) => {
                if is_socket(path) {
                    match UnixStream::connect(path).await {
                        Ok(_) => {
                            return Err(format!("cannot listen on {listen}: another process does"));
                        }
                        Err(_) => std::fs::remove_file(path).map_err(told)?,
                    }
                }
                Self::bind_unix(path, path.clone()).map_err(told)
            }
        }
    }

    /// Binds a unix socket at `path`, whose lasting name is `name`.
    pub(super) fn bind_unix(path: &Path, name: PathBuf) -> io::Result<Self> {
        UnixListener::bind(path).map(|listener| Self::Unix(listener, SocketFile(name)))
    }

    /// The TCP address with the port that was taken.
    pub(super) fn bound(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener, _) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    /// What has to be done with its connections before HTTP.
    pub(super) fn tls(&self) -> Option<Arc<ServerTls>> {
        match self {
            Self::Tcp(_, tls) => tls.clone(),
            Self::Unix(..) => None,
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener, _) => {
                let (stream, address) = listener.accept().await?;
                // Answers are written in one piece; waiting for more only delays them.
                stream.set_nodelay(true)?;
                Ok((Stream::Tcp(stream), Peer::Tcp(address)))
            }
            Self::Unix(listener, _) => Ok((Stream::Unix(listener.accept().await?.0), Peer::Unix)),
        }
    }
}

fn is_socket(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.bound()) {
            (Self::Unix(_, file), _) => write!(f, "unix:{}", file.0.display()),
            (Self::Tcp(_, None), Some(address)) => write!(f, "http://{address}"),
            (Self::Tcp(_, Some(_)), Some(address)) => write!(f, "https://{address}"),
            (Self::Tcp(..), None) => f.write_str("tcp"),
        }
    }
}

/// A connection of any kind. One type for all, so that the HTTP server is compiled once.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream>),
    Unix(UnixStream),
}

impl Stream {
    /// Does the TLS handshake where the listener wants one.
    pub(super) async fn secured(
        self,
        tls: Option<&ServerTls>,
        limit: Duration,
    ) -> io::Result<Self> {
        match (self, tls) {
            (Self::Tcp(stream), Some(tls)) => tls.handshake(stream, limit).await.map(Self::Tls),
            (stream, _) => Ok(stream),
        }
    }
}

/// Calls the same method on whichever stream it is.
macro_rules! either {
    ($self:ident, $method:ident($($argument:expr),*)) => {
        match $self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            Stream::Tls(stream) => Pin::new(stream).$method($($argument),*),
            Stream::Unix(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
