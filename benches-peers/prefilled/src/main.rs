//! `prefilled SESSIONS RESERVE TOKENS FILE`: the server's own routes over a memory store that holds SESSIONS sessions from
//! the start, and TOKENS of their tokens, spread evenly, one a line in FILE.
//!
//! Ten million sessions by HTTP would take a quarter of an hour; what answers afterwards is the same code.
#![expect(
    clippy::print_stdout,
    reason = "the program that started it waits for the address"
)]

use std::fmt::Write as _;

use axum::Extension;
use cloakroom::core::lifecycle::Begin;
use cloakroom::core::{Edits, JsonText};
use cloakroom::{Proof, Sessions, Subject};
use cloakroom_server::config::{self, Flags};
use cloakroom_server::http::Peer;
use cloakroom_server::router;
use cloakroom_server::state::AppState;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [sessions, reserve, tokens, file] = words.as_slice() else {
        panic!("usage: prefilled SESSIONS RESERVE TOKENS FILE");
    };
    let (sessions, tokens) = (
        sessions.parse().expect("a number"),
        tokens.parse().expect("a number"),
    );
    let flags = Flags {
        file: None,
        values: vec![
            ("--ephemeral", "server.ephemeral", "true".to_owned()),
            ("--store", "store.url", format!("memory:?reserve={reserve}")),
        ],
    };
    let loaded = config::load(&flags).expect("a configuration");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = AppState::open(loaded.config, None, Some(address))
            .await
            .expect("it opens");
        let text = fill(state.sessions(), sessions, tokens).await;
        std::fs::write(file, text).expect("a file for the tokens");
        println!("listening on {address}");
        let peer = Peer::Tcp(([127, 0, 0, 1], 1).into());
        let routes = router::network(&state).layer(Extension(peer));
        axum::serve(listener, routes).await.expect("it serves");
    });
}

/// So many sessions, of as many people; as many of their tokens, again from the first where there are fewer sessions.
async fn fill(sessions: &Sessions, number: usize, tokens: usize) -> String {
    let every = (number / tokens).max(1);
    let mut kept = Vec::with_capacity(tokens);
    for number in 0..number {
        let mut edits = Edits::new();
        for (name, value) in layers::payload() {
            edits.set(name, JsonText::of(&value).expect("JSON"));
        }
        let subject = Subject::new(format!("user-{number}")).expect("a subject");
        let begin = Begin {
            proof: Some(Proof::of(subject)),
            edits,
            ..Begin::default()
        };
        let started = sessions.create(&begin).await.expect("room for it");
        if number % every == 0 && kept.len() < tokens {
            kept.push(started.token.expose());
        }
    }
    let mut text = String::new();
    for at in 0..tokens {
        // A stride that is prime to the number of tokens: neighbours in the file are none in the store.
        let token = &kept[at * 7919 % kept.len()];
        writeln!(text, "{token}").expect("a text takes it");
    }
    text
}
