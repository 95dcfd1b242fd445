//! https by the server itself: real sockets, real clients, certificates made on the spot.

mod authority;
mod commands;
mod handshake;
mod reload;

use crate::support::{PATIENCE, Server, Setup};
pub(crate) use authority::Authority;

/// What the tests write into the file; the paths are relative to the folder that the server runs in.
const FILES: &str = "[server.tls]\ncertificate = \"chain.pem\"\nkey_file = \"key.pem\"\n";

/// A folder with a pair of this authority, and a configuration that names it; `more` stands before it.
fn setup(authority: &Authority, more: &str) -> Setup {
    let setup = Setup::new().config(&format!("{more}\n{FILES}"));
    authority.issue(1).write(setup.path());
    std::fs::write(setup.path().join("ca.pem"), authority.pem()).unwrap();
    setup
}

/// An https server, and the authority that its certificate comes from.
pub(crate) async fn start(more: &str) -> (Server, Authority) {
    let authority = Authority::new();
    (setup(&authority, more).start().await, authority)
}

/// A client that trusts this authority and no other, and makes a connection for every request.
fn client(authority: &Authority) -> reqwest::ClientBuilder {
    let root = reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .tls_certs_only([root])
        .tls_info(true)
        .pool_max_idle_per_host(0)
}
