//! The set-up stage: finds what the tests need and installs what is missing, on Debian.

use std::path::Path;
use std::process::Command;

use crate::process::{self, quiet};
use crate::{Result, report};

/// Something a test starts, and the Debian packages that bring it.
struct Tool {
    /// What is looked for.
    name: &'static str,
    found: fn() -> bool,
    packages: &'static [&'static str],
}

const TOOLS: [Tool; 13] = [
    Tool {
        name: "nginx",
        found: || on_path("nginx"),
        packages: &["nginx-light"],
    },
    Tool {
        name: "caddy",
        found: || on_path("caddy"),
        packages: &["caddy"],
    },
    // What the end-to-end tests ask with, and the certificates they ask by.
    Tool {
        name: "curl",
        found: || on_path("curl"),
        packages: &["curl"],
    },
    Tool {
        name: "openssl",
        found: || on_path("openssl"),
        packages: &["openssl"],
    },
    // A web application that nobody here wrote, with a login of its own.
    Tool {
        name: "fossil",
        found: || on_path("fossil"),
        packages: &["fossil"],
    },
    // The sandbox is only recommended by Debian's package, but chromium refuses to start without it unless root.
    Tool {
        name: "chromium",
        found: || on_path("chromium"),
        packages: &["chromium", "chromium-sandbox"],
    },
    Tool {
        name: "chromedriver",
        found: || on_path("chromedriver"),
        packages: &["chromium-driver"],
    },
    // Debian splits `ensurepip` off, so `import venv` alone proves nothing.
    Tool {
        name: "python3 -m venv",
        found: has_venv,
        packages: &["python3-venv"],
    },
    // The servers behind the stores. The names are those of Debian 12 and 13 alike: `postgresql` brings the release's own.
    Tool {
        name: "redis-server",
        found: || on_path("redis-server"),
        packages: &["redis-server"],
    },
    Tool {
        name: "postgres",
        found: has_postgres,
        packages: &["postgresql"],
    },
    Tool {
        name: "mariadbd",
        found: || on_path("mariadbd"),
        packages: &["mariadb-server-core"],
    },
    Tool {
        name: "mariadb",
        found: || on_path("mariadb"),
        packages: &["mariadb-client-core"],
    },
    // For the shared file system whose faults the tests choose.
    Tool {
        name: "fusermount3",
        found: || on_path("fusermount3"),
        packages: &["fuse3"],
    },
];

/// What `bench` starts besides; CI does without.
const BENCH_TOOLS: [Tool; 2] = [
    Tool {
        name: "wrk",
        found: || on_path("wrk"),
        packages: &["wrk"],
    },
    Tool {
        name: "valgrind",
        found: || on_path("valgrind"),
        packages: &["valgrind"],
    },
];

/// Installs what is missing. The error names the packages, for a person who may install them.
pub(crate) fn run() -> Result<()> {
    // Both are tried before either may fail: one run shows everything that is missing.
    let components = components();
    programs(&TOOLS)?;
    components
}

/// Installs what the benchmarks need beyond a compiler.
pub(crate) fn bench() -> Result<()> {
    programs(&BENCH_TOOLS)
}

fn programs(tools: &'static [Tool]) -> Result<()> {
    let missing = missing(tools);
    if missing.is_empty() {
        report::say("set-up: no program is missing");
        return Ok(());
    }
    let packages: Vec<&str> = missing
        .iter()
        .flat_map(|tool| tool.packages.iter().copied())
        .collect();
    install(&packages)?;
    let still: Vec<&str> = self::missing(tools).iter().map(|tool| tool.name).collect();
    if still.is_empty() {
        return Ok(());
    }
    Err(format!("installed, but not found: {}", still.join(", ")).into())
}

/// `rustup` with its minimal profile leaves these two out.
fn components() -> Result<()> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        let mut probe = process::cargo();
        probe.args([subcommand, "--version"]);
        if !process::succeeds(probe) {
            let mut add = quiet("rustup");
            add.args(["component", "add", component]);
            process::run(add)?;
        }
    }
    Ok(())
}

fn missing(tools: &'static [Tool]) -> Vec<&'static Tool> {
    tools.iter().filter(|tool| !(tool.found)()).collect()
}

fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    let by_hand =
        format!("as root, once: apt-get update && apt-get install --no-install-recommends {list}");
    if !on_path("apt-get") {
        return Err(format!(
            "missing: {list} (Debian's names), and there is no apt-get to install them"
        )
        .into());
    }
    let Some(root) = root_prefix() else {
        return Err(format!(
            "missing: {list}; neither root nor sudo without a password. {by_hand}"
        )
        .into());
    };
    // One broken third-party source makes `update` fail; whether that matters, the install shows.
    if let Err(error) = process::run(apt(root, &["update"])) {
        report::complain(&format!("set-up: {error}"));
    }
    let quiet = Unstarted::begin(root);
    let mut command = apt(root, &["install", "-y", "--no-install-recommends"]);
    command.args(packages);
    let installed = process::run(command);
    drop(quiet);
    installed.map_err(|error| format!("{error}\n{by_hand}").into())
}

/// As long as it lives, packages do not start the daemons that they bring: the tests start their own, and a database that
/// nobody asked for would hold memory and a port. `policy-rc.d` is Debian's way to say so (`invoke-rc.d(8)`); a machine
/// that has one keeps its own. PostgreSQL's packages also make a cluster of 40 MB, unless they are told not to.
struct Unstarted {
    root: &'static [&'static str],
    made: Vec<&'static str>,
}

/// The file that forbids starts, the one that forbids the cluster, and what stands in them.
const FORBIDDEN: [(&str, &str, &str); 2] = [
    ("/usr/sbin/policy-rc.d", "755", "#!/bin/sh\nexit 101\n"),
    (
        "/etc/postgresql-common/createcluster.d/cloakroom-tests.conf",
        "644",
        "create_main_cluster = false\n",
    ),
];

impl Unstarted {
    fn begin(root: &'static [&'static str]) -> Self {
        let mut made = Vec::new();
        for (path, mode, text) in FORBIDDEN {
            if !Path::new(path).exists() && process::run(written(root, path, mode, text)).is_ok() {
                made.push(path);
            }
        }
        Self { root, made }
    }
}

impl Drop for Unstarted {
    fn drop(&mut self) {
        for path in &self.made {
            let mut words = self.root.iter().chain(&["rm", "-f"]);
            let mut command = quiet(words.next().unwrap_or(&"rm"));
            command.args(words).arg(path);
            if let Err(error) = process::run(command) {
                report::complain(&format!("set-up: {path} stays: {error}"));
            }
        }
    }
}

/// Writes a small file as root.
fn written(root: &[&str], path: &str, mode: &str, text: &str) -> Command {
    let script = r#"mkdir -p "$(dirname "$1")" && printf %s "$3" >"$1" && chmod "$2" "$1""#;
    let mut words = root.iter().chain(&["sh", "-c"]);
    let mut command = quiet(words.next().unwrap_or(&"sh"));
    command.args(words).args([script, "sh", path, mode, text]);
    command
}

/// Waits for another apt instead of failing, asks nothing.
fn apt(root: &[&str], arguments: &[&str]) -> Command {
    let words = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"];
    let options = ["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"];
    let mut words = root.iter().chain(&words).chain(&options).chain(arguments);
    let mut command = quiet(words.next().unwrap_or(&"env"));
    command.args(words);
    command
}

/// What to put before a command so that root runs it; `None` if a password would be asked.
fn root_prefix() -> Option<&'static [&'static str]> {
    let mut id = quiet("id");
    id.arg("-u");
    if process::output(id).is_ok_and(|uid| uid.trim() == "0") {
        return Some(&[]);
    }
    let mut sudo = quiet("sudo");
    sudo.args(["-n", "true"]);
    process::succeeds(sudo).then_some(&["sudo", "-n"])
}

/// Also where daemons live: Debian keeps `sbin` off the path of ordinary users.
fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let daemons =
        ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(|folder| Path::new(folder).to_owned());
    std::env::split_paths(&path)
        .chain(daemons)
        .any(|folder| folder.join(program).is_file())
}

/// Debian keeps each release's programs in a folder of its own, off the path.
fn has_postgres() -> bool {
    let releases = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    releases
        .flatten()
        .any(|release| release.path().join("bin/postgres").is_file())
}

fn has_venv() -> bool {
    let mut python = quiet("python3");
    python.args(["-c", "import ensurepip, venv"]);
    process::succeeds(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_for_on_the_path() {
        assert!(on_path("sh"));
        assert!(!on_path("no-such-program-anywhere"));
    }

    #[test]
    fn a_small_file_is_written_as_told() {
        let path =
            std::env::temp_dir().join(format!("cloakroom-setup-{}/file", std::process::id()));
        let named = path.to_str().unwrap_or_default();
        process::run(written(&[], named, "640", "a 'b' %s\n")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a 'b' %s\n");
        let folder = path.parent().map(std::fs::remove_dir_all);
        assert!(folder.is_some_and(|removed| removed.is_ok()));
    }

    #[test]
    fn apt_never_asks() {
        let typed = process::typed(&apt(&["sudo", "-n"], &["update"]));
        assert!(
            typed.starts_with("sudo -n env DEBIAN_FRONTEND=noninteractive apt-get "),
            "{typed}"
        );
        assert!(process::typed(&apt(&[], &["update"])).starts_with("env DEBIAN_FRONTEND"));
    }
}
