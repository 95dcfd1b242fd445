//! `healthcheck`: exit status 0 where the server is ready.

use super::{Door, Failure, args::Global, client::Trust, output::Output};
use crate::config::{Config, Listen};
use http::Method;

/// Asks through `--server` or `--listen` where given, else through `control.sock`, else at the configured listener. Health
/// needs no key, and none is sent to whoever listens there.
pub(super) async fn check(
    config: &Config,
    global: &Global,
    listen: Option<&str>,
    out: Output,
) -> Result<(), Failure> {
    let door = match (&global.server, listen) {
        (Some(server), _) => {
            let trust = Trust::Authorities(global.ca_file.as_deref());
            Door::to_server(server, None, trust)?
        }
        (None, Some(listen)) => {
            let listen = listen
                .parse()
                .map_err(|why| Failure::WrongUse(format!("--listen: {why}")))?;
            to_listener(&listen, config)?
        }
        (None, None) => match Door::to_running(config).await? {
            Some(door) => door,
            None => to_listener(&config.server.listen, config)?,
        },
    };
    let answer = door.send(Method::GET, &["readyz"], &[], None).await?;
    out.answer(&answer, || "ready".to_owned())
}

fn to_listener(listen: &Listen, config: &Config) -> Result<Door, Failure> {
    match listen {
        Listen::Unix(path) => Door::to_socket(path, None),
        Listen::Tcp(address) => {
            let mut address = *address;
            // 0.0.0.0 is a place to listen, not one to connect to.
            if address.ip().is_unspecified() {
                address.set_ip(if address.is_ipv4() {
                    std::net::Ipv4Addr::LOCALHOST.into()
                } else {
                    std::net::Ipv6Addr::LOCALHOST.into()
                });
            }
            let scheme = if config.server.tls.is_some() {
                "https"
            } else {
                "http"
            };
            Door::to_server(&format!("{scheme}://{address}"), None, Trust::Anybody)
        }
    }
}
