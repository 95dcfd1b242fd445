//! MariaDB: one server, which can be killed and started again on what it kept.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use parking_lot::Mutex;
use tempfile::TempDir;

use crate::place::quick_place;
use crate::process::{Process, free_port, wait_until};

/// The account of the tests, which may do everything.
pub const USER: &str = "cloakroom";
/// Its password, with what a URL has to escape.
pub const PASSWORD: &str = "a b@c/d?e";
/// [`PASSWORD`] as it stands in a URL.
pub const PASSWORD_IN_URL: &str = "a%20b%40c%2Fd%3Fe";

/// A running server.
#[derive(Debug)]
pub struct Mariadb {
    /// Removed by whoever watches the process, or with this.
    folder: TempDir,
    port: u16,
    config: Vec<String>,
    process: Mutex<Option<Process>>,
}

impl Mariadb {
    /// The one that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Mariadb> = OnceLock::new();
        SHARED.get_or_init(|| Self::with(std::iter::empty::<&str>()))
    }

    /// A server of its own with these further arguments, such as `--read-only`.
    ///
    /// # Panics
    /// Where the package is missing or the server does not start.
    pub fn with<S: AsRef<str>>(config: impl IntoIterator<Item = S>) -> Self {
        Self::at(&quick_place(), config)
    }

    /// The same with its data in a folder of its own in `place`.
    ///
    /// # Panics
    /// Where the package is missing or the server does not start.
    pub fn at<S: AsRef<str>>(place: &Path, config: impl IntoIterator<Item = S>) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("mariadb")
            .tempdir_in(place)
            .unwrap();
        let server = Self {
            folder,
            port: free_port(),
            config: config
                .into_iter()
                .map(|word| word.as_ref().to_owned())
                .collect(),
            process: Mutex::new(None),
        };
        server.install();
        server.start();
        server
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The Unix socket on which it listens too.
    pub fn socket(&self) -> PathBuf {
        self.folder().join("socket")
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    fn install(&self) {
        let init = format!(
            "CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL PRIVILEGES ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n"
        );
        fs::write(self.folder().join("init.sql"), init).unwrap();
        give_away(self.folder());
        let data = format!("--datadir={}", self.folder().join("data").display());
        let made = Command::new("mariadb-install-db")
            .args(["--no-defaults", "--skip-test-db", &data])
            .args(["--auth-root-authentication-method=normal"])
            .args(user())
            .current_dir("/")
            .output()
            .expect("the package mariadb-server-core");
        let told = String::from_utf8_lossy(&made.stdout);
        assert!(made.status.success(), "mariadb-install-db: {told}");
    }

    /// Starts it, if it does not run, and waits until it answers.
    ///
    /// # Panics
    /// Where it does not.
    pub fn start(&self) {
        let mut process = self.process.lock();
        if process.is_some() {
            return;
        }
        let in_folder =
            |name: &str, file: &str| format!("--{name}={}/{file}", self.folder().display());
        let mut args = vec![
            "--no-defaults".to_owned(),
            in_folder("datadir", "data"),
            in_folder("socket", "socket"),
            in_folder("pid-file", "pid"),
            in_folder("init-file", "init.sql"),
            format!("--port={}", self.port),
        ];
        let own = [
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=1",
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=32M",
            "--max-connections=1000",
            // Far from UTC, and not by whole hours: nothing may depend on it.
            "--default-time-zone=+08:45",
            "--innodb-print-all-deadlocks=ON",
        ];
        args.extend(own.map(str::to_owned));
        args.extend(user());
        args.extend(self.config.iter().cloned());
        let log = self.folder().join("log");
        let scratch = Some(self.folder());
        *process = Some(Process::start("mariadbd", args, &log, scratch));
        wait_until("a MariaDB server listens", || {
            TcpStream::connect(self.addr()).is_ok()
        });
    }

    /// Kills it without a word. Its folder stays as it is.
    ///
    /// # Panics
    /// Where its folder cannot be kept.
    pub fn kill(&self) {
        let process = self.process.lock().take();
        if let Some(process) = process {
            // The watcher removes the folder, which is wanted only when the test process ends.
            let kept = self.folder().with_extension("kept");
            fs::rename(self.folder(), &kept).unwrap();
            let threads = format!("/proc/{}/task", process.id());
            process.kill();
            // Its first thread is dead; files and port are free when the last one is.
            wait_until("every thread of a killed server is gone", || {
                fs::read_dir(&threads).map_or(0, Iterator::count) <= 1
                    && TcpStream::connect(self.addr()).is_err()
            });
            fs::rename(&kept, self.folder()).unwrap();
        }
    }

    /// What the `mariadb` client prints for a statement.
    ///
    /// # Panics
    /// Where it cannot be started or the statement fails.
    pub fn sql(&self, statement: &str) -> String {
        let output = Command::new("mariadb")
            .args(["--no-defaults", "--batch", "--skip-column-names"])
            .arg(format!("--socket={}", self.socket().display()))
            .args(["--user=root", "--execute", statement])
            .output()
            .expect("the package mariadb-client-core");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statement}: {told}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// The server refuses to run as root unless told so; it then runs as this one.
fn user() -> Option<String> {
    rustix::process::geteuid()
        .is_root()
        .then(|| "--user=nobody".to_owned())
}

/// Makes a folder belong to whom the server runs as.
fn give_away(folder: &Path) {
    if rustix::process::geteuid().is_root() {
        let given = Command::new("chown")
            .args(["-R", "nobody:nogroup"])
            .arg(folder)
            .status();
        assert!(given.is_ok_and(|status| status.success()), "chown");
    }
}
