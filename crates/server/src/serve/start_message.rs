//! What the server says when it is ready: the addresses to open, and where everything is kept.

use super::listener::Listener;
use crate::state::AppState;
use std::io::Write;

pub(super) fn print(state: &AppState, listener: &Listener) {
    let config = state.config();
    let mut lines = vec![
        format!("cloakroom {}", env!("CARGO_PKG_VERSION")),
        format!("  listening on   {listener}"),
    ];
    lines.push(format!(
        "  open           {}{}/login",
        state.public_origin(),
        config.server.base_path
    ));
    let store = config
        .store
        .url
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    lines.push(format!("  sessions       {store}"));
    lines.push(match state.data_dir() {
        Some(data_dir) => format!("  users and keys {}", data_dir.path().display()),
        None => "  users and keys in memory: gone when this process ends (--ephemeral)".to_owned(),
    });
    // A closed standard output is no reason not to serve.
    let _ = writeln!(std::io::stdout().lock(), "{}", lines.join("\n"));
}
