//! What the server says when it is ready: the addresses to open, and where everything is kept.

use super::listener::Listener;
use crate::{directory::FirstAdmin, state::AppState};
use std::io::Write;

pub(super) fn print(state: &AppState, listener: &Listener, first: Option<&FirstAdmin>) {
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
    let keep = state.keep();
    lines.push(format!("  sessions       {store} ({})", keep.sessions_are));
    lines.push(format!("  users and keys {}", keep.people_are));
    if let Some(first) = first {
        lines.push(match &first.file {
            Some(file) => format!(
                "  first login    {}, the password is in {}",
                first.name,
                file.display()
            ),
            // Without a data directory there is no other place to tell it.
            None => format!(
                "  first login    {}, password {}",
                first.name, &*first.password
            ),
        });
    }
    // A closed standard output is no reason not to serve.
    let _ = writeln!(std::io::stdout().lock(), "{}", lines.join("\n"));
}
