//! Redis: one server, a cluster of six, a primary with two replicas and three sentinels.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::{Process, free_port, wait_until};

/// One server; it can be killed, frozen and started again on what it kept.
#[derive(Debug)]
pub struct Redis {
    /// Removed by whoever watches the process, or with this.
    dir: TempDir,
    port: u16,
    config: Vec<String>,
    process: Mutex<Option<Process>>,
}

/// Everything that was answered is on the disk.
pub const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

impl Redis {
    /// A server of its own with these further arguments, such as `--appendonly yes`.
    pub fn single<S: AsRef<str>>(config: impl IntoIterator<Item = S>) -> Self {
        Self::on(free_port(), config)
    }

    /// The same on that port.
    pub fn on<S: AsRef<str>>(port: u16, config: impl IntoIterator<Item = S>) -> Self {
        let config = config
            .into_iter()
            .map(|word| word.as_ref().to_owned())
            .collect();
        let redis = Self {
            dir: tempfile::Builder::new().prefix("redis").tempdir().unwrap(),
            port,
            config,
            process: Mutex::new(None),
        };
        redis.start();
        redis
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
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
        let port = self.port.to_string();
        let dir = self.dir.path().to_str().unwrap();
        let mut args = vec!["--bind", "127.0.0.1", "--dir", dir, "--save", ""];
        if !self.config.iter().any(|word| word == "--port") {
            args.extend(["--port", &port]);
        }
        args.extend(self.config.iter().map(String::as_str));
        let log = self.dir.path().join("log");
        *process = Some(Process::start(
            "redis-server",
            args,
            &log,
            Some(self.dir.path()),
        ));
        if !self.config.iter().any(|word| word == "--tls-port") {
            drop(process);
            wait_until("a Redis server answers", || {
                matches!(self.cli(["ping"]).as_str(), "PONG")
                    || self.cli(["ping"]).contains("NOAUTH")
            });
        }
    }

    /// Kills it without a word. Its folder stays as it is.
    pub fn kill(&self) {
        let process = self.process.lock().take();
        if let Some(process) = process {
            // The watcher removes the folder, which is wanted only when the test process ends.
            let kept = self.dir.path().with_extension("kept");
            std::fs::rename(self.dir.path(), &kept).unwrap();
            process.kill();
            std::fs::rename(&kept, self.dir.path()).unwrap();
        }
    }

    /// Freezes it: it keeps its connections and answers nothing.
    pub fn freeze(&self) {
        if let Some(process) = &*self.process.lock() {
            process.signal(Signal::STOP);
        }
    }

    /// Goes on after a freeze.
    pub fn thaw(&self) {
        if let Some(process) = &*self.process.lock() {
            process.signal(Signal::CONT);
        }
    }

    /// What `redis-cli` prints for a command.
    pub fn cli<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> String {
        cli(self.port, args)
    }
}

/// What `redis-cli` prints for a command at that port.
///
/// # Panics
/// Where it cannot be started.
pub fn cli<'a>(port: u16, args: impl IntoIterator<Item = &'a str>) -> String {
    let port = port.to_string();
    let output = Command::new("redis-cli")
        .args(["-h", "127.0.0.1", "-p", &port])
        .args(args)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if text.is_empty() {
        String::from_utf8_lossy(&output.stderr).trim().to_owned()
    } else {
        text
    }
}

/// Three primaries with a replica each.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Redis>,
}

impl Cluster {
    /// Starts six nodes and makes a cluster of them; a node is taken for dead after a second.
    ///
    /// # Panics
    /// Where they do not come together.
    pub fn six_nodes<S: AsRef<str>>(config: impl IntoIterator<Item = S>) -> Self {
        let config: Vec<String> = config
            .into_iter()
            .map(|word| word.as_ref().to_owned())
            .collect();
        let nodes: Vec<Redis> = (0..6)
            .map(|_| {
                let bus = free_port().to_string();
                let mut words = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"]
                    .map(str::to_owned)
                    .to_vec();
                words.extend(["--cluster-port".to_owned(), bus]);
                words.extend(["--repl-diskless-sync-delay".to_owned(), "0".to_owned()]);
                words.extend(config.iter().cloned());
                Redis::single(words)
            })
            .collect();
        let cluster = Self { nodes };
        let addrs: Vec<String> = cluster.addrs().iter().map(ToString::to_string).collect();
        let mut args = vec!["--cluster", "create"];
        args.extend(addrs.iter().map(String::as_str));
        args.extend(["--cluster-replicas", "1", "--cluster-yes"]);
        let told = cli(cluster.nodes[0].port, args);
        assert!(told.contains("All 16384 slots covered"), "{told}");
        wait_until("a cluster is whole", || cluster.is_whole());
        cluster
    }

    /// Where the nodes listen.
    pub fn addrs(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Redis::addr).collect()
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// Whether every node that runs sees all slots served and three replicas in step.
    pub fn is_whole(&self) -> bool {
        let ok = self
            .nodes
            .iter()
            .all(|node| node.cli(["cluster", "info"]).contains("cluster_state:ok"));
        ok && self.replicas_in_step() == 3
    }

    /// How many replicas are connected to their primaries.
    pub fn replicas_in_step(&self) -> usize {
        let in_step = |node: &&Redis| {
            let told = node.cli(["info", "replication"]);
            told.contains("role:slave") && told.contains("master_link_status:up")
        };
        self.nodes.iter().filter(in_step).count()
    }

    /// A node that is a primary with a replica in step, and serves the slot of `key`.
    ///
    /// # Panics
    /// Where there is none.
    pub fn primary_of(&self, key: &str) -> &Redis {
        let slot: u32 = self.nodes[0]
            .cli(["cluster", "keyslot", key])
            .parse()
            .unwrap();
        let alive = self.nodes.iter().find(|node| node.cli(["ping"]) == "PONG");
        let table = alive.unwrap().cli(["cluster", "nodes"]);
        for line in table.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            if !words[2].contains("master") || words[2].contains("fail") {
                continue;
            }
            let serves = words.iter().skip(8).any(|range| {
                let (from, to) = range.split_once('-').unwrap_or((range, range));
                let bounds = from.parse::<u32>().ok().zip(to.parse::<u32>().ok());
                bounds.is_some_and(|(from, to)| (from..=to).contains(&slot))
            });
            if serves {
                let addr = words[1].split('@').next().unwrap();
                let found = self
                    .nodes
                    .iter()
                    .find(|node| node.addr().to_string() == addr);
                return found.unwrap();
            }
        }
        panic!("nobody serves slot {slot}:\n{table}");
    }
}

/// A primary, two replicas and three sentinels that watch them.
#[derive(Debug)]
pub struct Sentinels {
    servers: Vec<Redis>,
    sentinels: Vec<(u16, Process)>,
    /// Holds the sentinels' own files.
    _dir: TempDir,
}

/// What the sentinels call it.
pub const MASTER: &str = "sessions";

impl Sentinels {
    /// Starts them; a primary is taken for dead after a second.
    ///
    /// # Panics
    /// Where they do not come together.
    pub fn three<S: AsRef<str>>(config: impl IntoIterator<Item = S>) -> Self {
        let mut config: Vec<String> = config
            .into_iter()
            .map(|word| word.as_ref().to_owned())
            .collect();
        config.extend(["--repl-diskless-sync-delay".to_owned(), "0".to_owned()]);
        let primary = Redis::single(&config);
        let of = format!("127.0.0.1 {}", primary.port);
        let mut servers = vec![primary];
        for _ in 0..2 {
            let mut words = config.clone();
            words.extend(["--replicaof".to_owned(), of.clone()]);
            servers.push(Redis::single(words));
        }
        wait_until("replicas are in step", || {
            servers[0]
                .cli(["info", "replication"])
                .matches("state=online")
                .count()
                == 2
        });
        let dir = tempfile::Builder::new()
            .prefix("sentinel")
            .tempdir()
            .unwrap();
        let sentinels = (0..3)
            .map(|number| sentinel(dir.path(), number, servers[0].port))
            .collect();
        let group = Self {
            servers,
            sentinels,
            _dir: dir,
        };
        wait_until("the sentinels know all", || group.know_all());
        group
    }

    /// Where the sentinels listen.
    pub fn addrs(&self) -> Vec<SocketAddr> {
        let ports = self.sentinels.iter().map(|(port, _)| *port);
        ports
            .map(|port| (Ipv4Addr::LOCALHOST, port).into())
            .collect()
    }

    /// The server that the sentinels name as the primary.
    ///
    /// # Panics
    /// Where they name none of ours.
    pub fn primary(&self) -> &Redis {
        let told = cli(
            self.sentinels[0].0,
            ["sentinel", "get-master-addr-by-name", MASTER],
        );
        let port = told.lines().nth(1).and_then(|port| port.parse().ok());
        let found = self.servers.iter().find(|server| Some(server.port) == port);
        found.unwrap_or_else(|| panic!("no primary: {told}"))
    }

    /// All servers.
    pub fn servers(&self) -> &[Redis] {
        &self.servers
    }

    /// Whether the sentinels see each other and two replicas, and the replicas are in step.
    pub fn know_all(&self) -> bool {
        let all = self.sentinels.iter().all(|(port, _)| {
            let told = cli(*port, ["sentinel", "master", MASTER]);
            let words: Vec<&str> = told.lines().collect();
            let is = |name: &str, value: &str| words.windows(2).any(|pair| pair == [name, value]);
            is("num-slaves", "2") && is("num-other-sentinels", "2") && is("flags", "master")
        });
        all && self
            .primary()
            .cli(["info", "replication"])
            .matches("state=online")
            .count()
            == 2
    }
}

fn sentinel(dir: &Path, number: usize, primary: u16) -> (u16, Process) {
    let port = free_port();
    let file: PathBuf = dir.join(format!("{number}.conf"));
    let text = format!(
        "port {port}\nbind 127.0.0.1\ndir {}\n\
         sentinel monitor {MASTER} 127.0.0.1 {primary} 2\n\
         sentinel down-after-milliseconds {MASTER} 1000\n\
         sentinel failover-timeout {MASTER} 3000\n\
         sentinel parallel-syncs {MASTER} 2\n",
        dir.display()
    );
    std::fs::write(&file, text).unwrap();
    let log = dir.join(format!("{number}.log"));
    let args = [file.to_str().unwrap(), "--sentinel"];
    let process = Process::start("redis-server", args, &log, Some(dir));
    wait_until("a sentinel answers", || {
        sleep(Duration::from_millis(10));
        cli(port, ["ping"]) == "PONG"
    });
    (port, process)
}
