//! `cloakroom serve` from start to end.

use super::{
    DataDir,
    accept::Acceptor,
    control,
    listener::Listener,
    reload,
    signals::{Signals, Wish},
    start_message,
};
use crate::{
    config::{Config, ConfigError, Flags, Loaded},
    jobs,
    observe::Logging,
    router,
    state::AppState,
    tls::{Fault, Pair, ServerTls},
};
use std::{io::IsTerminal, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::MissedTickBehavior};

/// Runs the server until a signal ends it; by https where there is a `pair`.
///
/// # Errors
/// What kept it from starting or from closing cleanly, as one line.
pub async fn run(loaded: Loaded, pair: Option<Pair>, flags: Flags) -> Result<(), String> {
    let logging = Logging::start(&loaded.config.log)?;
    // Before anything that takes time: a signal during the start must not be lost.
    let mut signals =
        Signals::install().map_err(|error| format!("cannot handle signals: {error}"))?;
    let server = loaded.config.server.clone();
    let data_dir = if server.ephemeral {
        None
    } else {
        Some(DataDir::open(&server.data_dir).map_err(|error| error.to_string())?)
    };
    let tls = pair.clone().map(secured).transpose()?;
    let listener = Listener::bind(&server.listen, tls.clone()).await?;
    let config = with_origin(loaded, pair.as_ref(), &listener)?;
    let state = AppState::open(config, data_dir, listener.bound()).await?;
    let control = state.data_dir().map(control::bind).transpose()?;

    let (drain, shutdown) = (server.drain_timeout.get(), state.shutdown());
    let mut acceptors = JoinSet::new();
    let first = state
        .directory()
        .first_start(std::io::stdout().is_terminal())
        .await?;
    start_message::print(&state, &listener, first.as_ref());
    tracing::info!(listen = %listener, version = env!("CARGO_PKG_VERSION"), "ready");
    acceptors.spawn(
        Acceptor::new(listener, router::network(&state), &server).run(shutdown.watch(), drain),
    );
    if let Some(control) = control {
        acceptors.spawn(
            Acceptor::new(control, router::control(&state), &server).run(shutdown.watch(), drain),
        );
    }
    jobs::start(&state);
    tokio::spawn(metrics_upkeep(state.clone()));

    while signals.next().await == Wish::Reload {
        reload::reload(&logging, tls.as_deref(), &flags);
    }
    tracing::info!("stopping: open requests may finish");
    state.health().start_draining();
    shutdown.begin();
    tokio::select! {
        () = signals.stop_again() => Err("stopped at once by a second signal".to_owned()),
        outcome = close(acceptors, &state) => outcome,
    }
}

fn secured(pair: Pair) -> Result<Arc<ServerTls>, String> {
    pair.log("the certificate in use");
    let told = |fault: Fault| format!("server.tls.{}: {}", fault.field, fault.why);
    ServerTls::new(pair).map(Arc::new).map_err(told)
}

/// The configuration with the public origin that follows from the certificate, where none is configured.
fn with_origin(loaded: Loaded, pair: Option<&Pair>, listener: &Listener) -> Result<Config, String> {
    let origin = pair.map(|pair| loaded.origin_by_certificate(pair, listener.bound()));
    let origin = origin
        .transpose()
        .map_err(|error: ConfigError| error.to_string())?;
    let mut config = loaded.config;
    config.server.public_url = origin.or(config.server.public_url);
    Ok(config)
}

async fn close(acceptors: JoinSet<usize>, state: &AppState) -> Result<(), String> {
    let cut_off: usize = acceptors.join_all().await.into_iter().sum();
    if cut_off > 0 {
        tracing::warn!(
            cut_off,
            "the drain timeout ran out with connections still open"
        );
    }
    state.shutdown().run_hooks().await?;
    tracing::info!("stopped");
    Ok(())
}

async fn metrics_upkeep(state: AppState) {
    let mut every = tokio::time::interval(Duration::from_secs(5));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        state.metrics().upkeep();
    }
}
