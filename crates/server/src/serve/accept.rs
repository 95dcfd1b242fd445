//! Accepts connections and serves them until told to stop.

use super::{first_bytes::FirstBytes, listener::Listener};
use crate::{config::Server, http::Peer};
use axum::{Router, body::Body};
use http::Request;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use std::{io, sync::Arc, time::Duration};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

/// What one listener needs to serve its connections.
pub(super) struct Acceptor {
    listener: Listener,
    router: Router,
    http: Builder<TokioExecutor>,
    head_timeout: Duration,
    free: Arc<Semaphore>,
    places: usize,
}

impl Acceptor {
    pub(super) fn new(listener: Listener, router: Router, server: &Server) -> Self {
        let head_limit = server.request_head_limit.as_usize();
        let head_timeout = server.head_timeout.get();
        let mut http = Builder::new(TokioExecutor::new());
        // Over the limits hyper itself answers 431 (CK-15). hyper's buffer must hold at least 8 KiB.
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(head_timeout)
            .max_buf_size(head_limit.max(8192))
            .max_headers(128);
        http.http2()
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(head_limit).unwrap_or(u32::MAX))
            .max_concurrent_streams(200)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(20));
        let places = server.max_connections as usize;
        Self {
            listener,
            router,
            http,
            head_timeout,
            free: Arc::new(Semaphore::new(places)),
            places,
        }
    }

    /// Serves until `stop`; then no connection is accepted any more, open requests finish, and the number of
    /// connections that were cut off at the deadline is given back.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>, drain: Duration) -> usize {
        let open = GracefulShutdown::new();
        let stopping = stop.clone();
        loop {
            tokio::select! {
                // Draining wins over a queue of new connections.
                biased;
                _ = stop.wait_for(|stopping| *stopping) => break,
                () = self.accept_one(&open, &stopping) => {}
            }
        }
        drop(self.listener);
        match tokio::time::timeout(drain, open.shutdown()).await {
            Ok(()) => 0,
            Err(_) => self.places.saturating_sub(self.free.available_permits()),
        }
    }

    async fn accept_one(&self, open: &GracefulShutdown, stopping: &watch::Receiver<bool>) {
        // At the cap further connections wait in the system's queue.
        let Ok(place) = Arc::clone(&self.free).acquire_owned().await else {
            return;
        };
        let (stream, peer) = match self.listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors: trying again at once would only burn the processor.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                return;
            }
        };
        let service = TowerToHyperService::new(self.router.clone().map_request(
            move |request: Request<Incoming>| {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert::<Peer>(peer);
                request
            },
        ));
        let (tls, limit, watcher) = (self.listener.tls(), self.head_timeout, open.watcher());
        let (http, mut stop) = (self.http.clone(), stopping.clone());
        tokio::spawn(async move {
            // In its own task: a slow handshake holds up nobody else. A drain does not wait for one, as no request
            // was sent yet.
            let shaken = tokio::select! {
                biased;
                shaken = stream.secured(tls.as_deref(), limit) => shaken,
                _ = stop.wait_for(|stopping| *stopping) => return,
            };
            let stream = match shaken {
                Ok(stream) => TokioIo::new(FirstBytes::new(stream, limit)),
                Err(error) => return handshake_failed(&error),
            };
            metrics::gauge!("cloakroom_connections").increment(1.0);
            let connection = watcher.watch(http.serve_connection(stream, service).into_owned());
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            metrics::gauge!("cloakroom_connections").decrement(1.0);
            drop(place);
        });
    }
}

/// Scanners cause these all day, so the log has them at `debug` only; the count is for alerts.
fn handshake_failed(error: &io::Error) {
    metrics::counter!("cloakroom_tls_handshakes_failed_total").increment(1);
    tracing::debug!(%error, "a TLS handshake failed");
}

#[cfg(test)]
#[path = "accept_tests.rs"]
mod tests;
