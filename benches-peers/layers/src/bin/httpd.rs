//! `httpd LAYER [STORE-URL]`: the application over HTTP on a free port of the loopback interface, one worker thread.
//! With a URL it is ours, on that store.
#![expect(
    clippy::print_stdout,
    reason = "the program that started it waits for the address"
)]

use layers::Layer;

fn main() {
    let layer = std::env::args().nth(1).and_then(|name| Layer::named(&name));
    let layer = layer.expect("usage: httpd LAYER [STORE-URL]");
    let store = std::env::args().nth(2);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        println!("listening on {address}");
        let router = match store {
            None => layer.router().await,
            Some(url) => layers::on_store(&url).await,
        };
        axum::serve(listener, router).await.expect("it serves");
    });
}
