//! The Cloakroom server. It is a library only so that its parts can be tested and documented; the promise to the
//! outside is the binary `cloakroom`.

pub mod api;
pub mod cli;
pub mod config;
pub mod credentials;
pub mod directory;
pub mod envelope;
pub mod front;
pub mod gate;
pub mod http;
pub mod jobs;
pub mod keep;
pub mod observe;
pub mod openapi;
pub mod router;
pub mod serve;
pub mod state;
pub mod tls;
