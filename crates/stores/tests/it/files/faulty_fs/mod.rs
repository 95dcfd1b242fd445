//! A file system that fails as NFS does: each mount is one client, with names, attributes and listings that it believes
//! for a while, and a network between it and the folder underneath, which is the file server.
//!
//! It is served by a process of its own: one that waits for its own file system cannot even be killed.

mod client;
mod faults;
mod fs;
mod nodes;

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fuser::{Config, MountOption};
use parking_lot::Mutex;
use tempfile::TempDir;

use self::client::FaultyFs;
use self::faults::Faults;
pub(super) use self::faults::Rates;

const SERVER: &str = "CLOAKROOM_TEST_FAULTY_SERVER";
const POINT: &str = "CLOAKROOM_TEST_FAULTY_POINT";
const HOW: &str = "CLOAKROOM_TEST_FAULTY_HOW";
/// What a line of the child that is meant for us begins with.
const MARK: &str = "faulty: ";

/// A client's mount; gone when it is dropped, and when this process ends.
pub(super) struct Mount {
    point: TempDir,
    child: Child,
    line: Mutex<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
}

impl Mount {
    /// Mounts `server`; what the client has seen it believes for `stale`.
    pub(super) fn of(server: &Path, stale: Duration, seed: u64) -> Self {
        let point = TempDir::new().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "files::faulty_fs::child_that_serves",
                "--exact",
                "--nocapture",
            ])
            .env(SERVER, server)
            .env(POINT, point.path())
            .env(HOW, format!("{} {seed}", stale.as_millis()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Whoever interrupts the tests leaves it to unmount.
            .process_group(0)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let mount = Self {
            point,
            child,
            line: Mutex::new((stdin, stdout)),
        };
        mount.set(Rates::NONE);
        mount
    }

    pub(super) fn path(&self) -> &Path {
        self.point.path()
    }

    /// From here on faults come so often; how many there were.
    pub(super) fn set(&self, rates: Rates) -> u64 {
        let (stdin, stdout) = &mut *self.line.lock();
        let words = rates.0.map(|rate| rate.to_string());
        writeln!(stdin, "{}", words.join(" ")).unwrap();
        let said = stdout.find_map(|line| {
            let line = line.unwrap();
            let place = line.find(MARK)?;
            line[place + MARK.len()..].parse().ok()
        });
        said.unwrap()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Whoever still has a file of it open does not hold this up.
        let unmount = Command::new("umount").arg("-l").arg(self.path()).status();
        if !unmount.is_ok_and(|status| status.success()) {
            println!("a mount stays behind");
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Not a test of its own: serves a mount until its input ends.
#[test]
fn child_that_serves() {
    let (Some(server), Some(point)) = (std::env::var_os(SERVER), std::env::var_os(POINT)) else {
        return;
    };
    let how = std::env::var(HOW).unwrap();
    let (stale, seed) = how.split_once(' ').unwrap();
    let faults = Arc::new(Faults::new(seed.parse().unwrap()));
    let stale = Duration::from_millis(stale.parse().unwrap());
    let fs = FaultyFs::new(server.as_ref(), stale, Arc::clone(&faults));
    let mut config = Config::default();
    config.mount_options = vec![MountOption::FSName("faulty".into())];
    config.n_threads = Some(2);
    let session = fuser::spawn_mount(fs, &point, &config).unwrap();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let mut numbers = line.split(' ').map(|word| word.parse().unwrap());
        faults.set(Rates(std::array::from_fn(|_| numbers.next().unwrap())));
        println!("{MARK}{}", faults.count());
    }
    // Whoever mounted is gone.
    drop(Command::new("umount").arg("-l").arg(&point).status());
    drop(std::fs::remove_dir(&point));
    drop(session);
    std::process::exit(0);
}
