//! A TCP proxy between a store and its server, for the network's bad days.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Cut,
    Frozen,
    Gone,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    streams: Mutex<Vec<TcpStream>>,
}

/// Forwards connections to a server, until told otherwise.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    addr: SocketAddr,
}

impl Proxy {
    /// Listens on a free port and forwards to `upstream`.
    ///
    /// # Panics
    /// Where there is no free port.
    pub fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            state: Mutex::new(State::Open),
            changed: Condvar::new(),
            streams: Mutex::new(Vec::new()),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if *accepting.state.lock() == State::Gone {
                    return;
                }
                if let Ok(client) = client {
                    join(&accepting, client, upstream);
                }
            }
        });
        Self { shared, addr }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Breaks every connection and refuses new ones.
    pub fn cut(&self) {
        self.set(State::Cut);
    }

    /// Keeps and takes connections, and forwards nothing.
    pub fn freeze(&self) {
        self.set(State::Frozen);
    }

    /// Forwards again; what was held by a freeze goes on.
    pub fn heal(&self) {
        self.set(State::Open);
    }

    fn set(&self, state: State) {
        *self.shared.state.lock() = state;
        if matches!(state, State::Cut | State::Gone) {
            for stream in self.shared.streams.lock().drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        self.shared.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(State::Gone);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.addr);
    }
}

fn join(shared: &Arc<Shared>, client: TcpStream, upstream: SocketAddr) {
    if *shared.state.lock() == State::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(upstream) else {
        return;
    };
    let closed = Arc::new(AtomicBool::new(false));
    for (from, to) in [(&client, &server), (&server, &client)] {
        let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else {
            return;
        };
        let (shared, closed) = (Arc::clone(shared), Arc::clone(&closed));
        thread::spawn(move || forward(&shared, from, to, &closed));
    }
    let mut streams = shared.streams.lock();
    // What has ended since need not be broken any more.
    streams.retain(|stream| stream.peer_addr().is_ok());
    streams.push(client);
    streams.push(server);
}

fn forward(shared: &Shared, mut from: TcpStream, mut to: TcpStream, closed: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    let _ = from.set_read_timeout(Some(Duration::from_secs(1)));
    let _ = from.set_nodelay(true);
    while !closed.load(Ordering::Relaxed) {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                continue;
            }
            Err(_) => break,
        };
        let mut state = shared.state.lock();
        while *state == State::Frozen {
            shared.changed.wait(&mut state);
        }
        let open = *state == State::Open;
        drop(state);
        if !open || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    closed.store(true, Ordering::Relaxed);
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
