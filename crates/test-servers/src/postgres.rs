//! A PostgreSQL server of the test's own, from Debian's package.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tempfile::TempDir;

/// Long enough for a crash recovery on a busy machine.
const READY: Duration = Duration::from_secs(60);

/// Runs the server, and ends it when nobody holds the other end of the pipe any more: also when the test is killed.
/// Told to `stop`, it keeps the folder.
const WATCHER: &str = r#"
folder=$1; shift
trap '' INT TERM HUP
"$@" >>"$folder/log" 2>&1 </dev/null &
server=$!
read -r word
kill -QUIT $server
wait $server
[ "$word" = stop ] && exit
# With what a test has mounted in it.
for inside in "$folder"/*/; do mountpoint -q "$inside" && umount -l "$inside"; done
rm -rf "$folder"
"#;

/// Everybody on this machine may come in without a password, but for the role `guarded`, if a test makes it.
const ACCESS: &str = "\
local all all trust
host all guarded all scram-sha-256
host all all 127.0.0.1/32 trust
";

/// A running server. Its superuser is `postgres`, who needs no password from this machine.
#[derive(Debug)]
pub struct Postgres {
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    watcher: Mutex<Option<Child>>,
}

impl Postgres {
    /// The one that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        // Far from UTC, and not by whole hours: nothing may depend on it.
        SHARED.get_or_init(|| Self::start(&["TimeZone=Australia/Eucla"]))
    }

    /// A new one with `settings`, each as `name=value`.
    ///
    /// # Panics
    /// Where the package is missing or the server does not start.
    pub fn start(settings: &[&str]) -> Self {
        Self::start_in(&quick_place(), settings)
    }

    /// As [`Postgres::start`], with its data on a disk: for measurements.
    ///
    /// # Panics
    /// As [`Postgres::start`].
    pub fn on_disk(settings: &[&str]) -> Self {
        Self::start_in(&std::env::temp_dir(), settings)
    }

    fn start_in(place: &Path, settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("cloakroom-postgres-")
            .tempdir_in(place)
            .expect("a temporary folder");
        give_away(folder.path());
        let data = folder.path().join("data");
        let made = unprivileged(&program("initdb"))
            .args(["-N", "-A", "trust", "-U", "postgres", "-E", "UTF8"])
            .args(["--locale=C", "-k", "-D"])
            .arg(&data)
            .current_dir("/")
            .output()
            .expect("initdb runs");
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        std::fs::write(data.join("pg_hba.conf"), ACCESS).expect("pg_hba.conf");
        let server = Self {
            folder,
            port: free_port(),
            settings: settings.iter().map(ToString::to_string).collect(),
            watcher: Mutex::new(None),
        };
        server.resume();
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The folder of its data, its socket and its log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// Ends it without a checkpoint, as a crash would (`pg_ctl stop -m immediate`).
    pub fn stop(&self) {
        if let Some(mut watcher) = self.watcher.lock().take() {
            if let Some(mut pipe) = watcher.stdin.take() {
                let _ = pipe.write_all(b"stop\n");
            }
            let _ = watcher.wait();
        }
    }

    /// Starts it again after [`Postgres::stop`].
    ///
    /// # Panics
    /// Where it does not come up.
    pub fn resume(&self) {
        let mut watched = Command::new("setsid");
        watched.args(["sh", "-c", WATCHER, "watcher"]);
        watched.arg(self.folder());
        let server = self.command();
        watched.arg(server.get_program()).args(server.get_args());
        let watcher = watched
            .current_dir("/")
            .stdin(Stdio::piped())
            .spawn()
            .expect("the server's watcher runs");
        *self.watcher.lock() = Some(watcher);
        self.wait_until_ready();
    }

    /// As a crash and a restart.
    pub fn restart(&self) {
        self.stop();
        self.resume();
    }

    fn command(&self) -> Command {
        let mut server = unprivileged(&program("postgres"));
        server.arg("-D").arg(self.folder().join("data"));
        server.arg("-k").arg(self.folder());
        server.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        let own = [
            "max_connections=400",
            "shared_buffers=64MB",
            "wal_level=minimal",
            "max_wal_senders=0",
            "max_wal_size=256MB",
            "min_wal_size=32MB",
            // What is not asked to be durable is not by luck.
            "wal_writer_delay=10s",
            // A deadlock is to be seen, not to be waited out.
            "deadlock_timeout=200ms",
        ];
        for setting in own.into_iter().chain(self.settings.iter().map(|s| &**s)) {
            server.args(["-c", setting]);
        }
        server
    }

    fn wait_until_ready(&self) {
        let deadline = Instant::now() + READY;
        let ready = || {
            let mut asked = Command::new(program("pg_isready"));
            // By its socket, which no other server has.
            asked.arg("-q").arg("-h").arg(self.folder());
            asked.args(["-p", &self.port.to_string()]);
            asked.status().is_ok_and(|status| status.success())
        };
        while !ready() {
            assert!(
                Instant::now() < deadline,
                "PostgreSQL does not start:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// In memory, where there is room: it is processes that die here, never the machine.
fn quick_place() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |disk| disk.f_bavail * disk.f_frsize);
    if room > 2 << 30 {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}

/// A program of the newest version that is installed.
fn program(name: &str) -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let versions = installed
        .flatten()
        .map(|version| version.path().join("bin"));
    let newest = versions.max().expect("the package postgresql-15");
    newest.join(name)
}

/// The server refuses to run as root.
fn unprivileged(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]);
    command.arg(program);
    command
}

/// Makes a folder belong to whom the server runs as.
fn give_away(folder: &Path) {
    if rustix::process::geteuid().is_root() {
        let given = Command::new("chown")
            .arg("nobody:nogroup")
            .arg(folder)
            .status();
        assert!(given.is_ok_and(|status| status.success()), "chown");
    }
}

/// A port that nobody listens on, below those that outgoing connections take: one of them could else have it when the
/// server comes back.
fn free_port() -> u16 {
    // Apart from those of other processes, and never twice in this one: a server takes a while to listen.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let seed = std::process::id().wrapping_mul(97);
    let seed = seed.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed) * 7);
    (0..12_000)
        .map(|step| 18_000 + u16::try_from((seed.wrapping_add(step)) % 12_000).unwrap_or(0))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port")
}
