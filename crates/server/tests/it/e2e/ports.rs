//! Ports that nothing listens on.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU16, Ordering},
};

/// The range lies below the one from which the system takes the ports of outgoing connections, so that none of
/// those can come between the choice of a port and the program that is told to listen on it.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port of this machine that is free, and is given out once in this process.
pub(super) fn free() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = std::process::id().wrapping_mul(97);
    (0..COUNT)
        .find_map(|_| {
            let n = offset.wrapping_add(u32::from(NEXT.fetch_add(1, Ordering::Relaxed)));
            let port = FIRST + u16::try_from(n % u32::from(COUNT)).unwrap();
            TcpListener::bind(("127.0.0.1", port)).ok().map(|_| port)
        })
        .expect("no free port")
}
