//! What the small programs beside this file share: where they listen, and the cookie that fits.

use std::io;

use axum::Router;
use cloakroom::{CookieConfig, CookieError};

/// Serves `router` on `LISTEN`, or else on 127.0.0.1:3000.
///
/// # Errors
/// Where nobody can listen there.
#[expect(
    clippy::print_stdout,
    reason = "a program that is tried by hand says where it is"
)]
pub async fn serve(router: Router) -> io::Result<()> {
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("open http://{}/", listener.local_addr()?);
    axum::serve(listener, router).await
}

/// The session cookie for plain http on one's own machine. In production leave the default, which needs https.
///
/// # Errors
/// Never for this URL.
pub fn loopback_cookie() -> Result<CookieConfig, CookieError> {
    let url = url::Url::parse("http://127.0.0.1:3000").map_err(|_| CookieError::InsecureOrigin)?;
    CookieConfig::for_origin(&url)
}
