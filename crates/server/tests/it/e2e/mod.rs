//! Real proxies (nginx, Caddy) with the configurations of `docs/proxies`, in front of web applications that nobody
//! here wrote, driven by real Chromium and curl. A person logs in once and stays logged in.

mod access;
mod account;
mod apps;
mod browser;
mod caddy;
mod caddy_domain;
mod cross_origin;
mod curl;
mod headers;
#[cfg(feature = "tls")]
mod https;
mod nginx;
mod own_form;
mod ports;
mod program;
mod site;
mod steps;
