//! SIGHUP: what is read anew while the server runs.

use crate::{
    config::{self, Flags, Loaded},
    observe::Logging,
    tls::ServerTls,
};

/// Reads the log level and the certificate anew; everything else stays as it was at the start. A part that cannot be
/// used is told and changes nothing, and the other part is carried out nevertheless.
pub(super) fn reload(logging: &Logging, tls: Option<&ServerTls>, flags: &Flags) {
    let loaded = match config::load(flags) {
        Ok(loaded) => loaded,
        Err(why) => return tracing::error!(%why, "the configuration was not read anew"),
    };
    let level = &loaded.config.log.level;
    match logging.set_level(level) {
        Ok(()) => tracing::info!(level, "the log level was read anew"),
        Err(why) => tracing::error!(why, "the log level was not read anew"),
    }
    if let Some(tls) = tls
        && let Err(why) = exchange(tls, &loaded)
    {
        tracing::error!(
            why,
            "the certificate was not read anew; the old one goes on"
        );
    }
}

fn exchange(tls: &ServerTls, loaded: &Loaded) -> Result<(), String> {
    let Some(pair) = loaded.tls().map_err(|error| error.to_string())? else {
        return Err(
            "server.tls is gone from the configuration, and a listener cannot change to plain http"
                .into(),
        );
    };
    tls.replace(pair.clone()).map_err(|fault| fault.why)?;
    pair.log("the certificate was read anew");
    Ok(())
}
