//! A deadline for the first bytes of a connection.
//!
//! hyper's own timer for a request head starts when it knows which HTTP version is spoken. A client that sends
//! nothing, or the beginning of the HTTP/2 preface and then nothing, would hold its connection for ever.

use super::listener::Stream;
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// From this many bytes on (the length of the HTTP/2 preface) hyper knows the version.
const ENOUGH: usize = 24;

pub(super) struct FirstBytes {
    stream: Stream,
    read: usize,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl FirstBytes {
    pub(super) fn new(stream: Stream, limit: Duration) -> Self {
        Self {
            stream,
            read: 0,
            deadline: Some(Box::pin(sleep(limit))),
        }
    }
}

impl AsyncRead for FirstBytes {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if self.deadline.is_none() {
            return polled;
        }
        if polled.is_ready() {
            self.read += buf.filled().len() - before;
            if self.read >= ENOUGH {
                self.deadline = None;
            }
            return polled;
        }
        match self
            .deadline
            .as_mut()
            .map(|deadline| deadline.as_mut().poll(cx))
        {
            Some(Poll::Ready(())) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            _ => Poll::Pending,
        }
    }
}

impl AsyncWrite for FirstBytes {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
