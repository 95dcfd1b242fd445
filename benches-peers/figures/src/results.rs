//! The raw figures, as they are kept between runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::{Result, process};

/// Everything measured so far, each group when it was last measured.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Results {
    pub(crate) inprocess: Option<Taken<Vec<CaseFigures>>>,
    pub(crate) library: Option<Taken<Vec<HttpFigures>>>,
    pub(crate) server: Option<Taken<Vec<HttpFigures>>>,
    pub(crate) scale: Option<Taken<Vec<HttpFigures>>>,
    pub(crate) stores: Option<Taken<StoreFigures>>,
    pub(crate) device: Option<Taken<Vec<DeviceFigures>>>,
    pub(crate) remote: Option<Taken<RemoteFigures>>,
}

/// Figures, with where and when they were taken.
#[derive(Serialize, Deserialize)]
pub(crate) struct Taken<T> {
    pub(crate) at: String,
    pub(crate) commit: String,
    pub(crate) machine: String,
    /// Of the last minute before: what others ran meanwhile.
    pub(crate) load_average: f64,
    pub(crate) quick: bool,
    pub(crate) figures: T,
}

/// One kind of request in this process.
#[derive(Serialize, Deserialize)]
pub(crate) struct CaseFigures {
    pub(crate) case: String,
    pub(crate) layers: BTreeMap<String, LayerFigures>,
}

/// Under one layer, the control's own share included.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct LayerFigures {
    /// Nanoseconds of processor time a request, of each round.
    pub(crate) ns: Vec<f64>,
    pub(crate) allocations: f64,
    /// As valgrind counts them; absent where it was not asked.
    pub(crate) instructions: Option<f64>,
}

/// One kind of request over HTTP.
#[derive(Serialize, Deserialize)]
pub(crate) struct HttpFigures {
    pub(crate) subject: String,
    pub(crate) rounds: Vec<Round>,
}

/// One run of wrk, on the processor that the server has too.
#[derive(Serialize, Deserialize)]
pub(crate) struct Round {
    pub(crate) requests_per_s: f64,
    /// Microseconds of the server's processor time a request, user and system.
    pub(crate) server_us: f64,
    /// Microseconds of wrk's.
    pub(crate) client_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// What stores cost.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StoreFigures {
    /// The document of `embedded_figures --json`.
    pub(crate) embedded: serde_json::Value,
    /// The document of `memory_figures --json`.
    pub(crate) memory: serde_json::Value,
    /// Peers' memory stores, by name.
    pub(crate) peers: BTreeMap<String, SizeFigures>,
}

/// Stores outside the process.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RemoteFigures {
    /// The document of `redis_figures --json`.
    pub(crate) redis: serde_json::Value,
    /// The document of `postgres_figures --json`.
    pub(crate) postgres: serde_json::Value,
    /// The library over HTTP, on each of them.
    pub(crate) http: Vec<HttpFigures>,
}

/// What a session takes in memory.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct SizeFigures {
    pub(crate) sessions: u64,
    /// Bytes of the data as JSON.
    pub(crate) payload: f64,
    /// Bytes asked of the allocator and not given back.
    pub(crate) live: f64,
    /// Bytes of the process.
    pub(crate) resident: f64,
}

/// The server on a small device.
#[derive(Serialize, Deserialize)]
pub(crate) struct DeviceFigures {
    pub(crate) profile: String,
    pub(crate) binary_bytes: u64,
    /// What it held when the day was over (VmRSS).
    pub(crate) resident_bytes: u64,
    /// The most it ever held (VmHWM): while it hashed a password.
    pub(crate) peak_bytes: u64,
    pub(crate) reserve_bytes: u64,
}

impl Round {
    /// Requests in a second of the processor that server and wrk share. On a machine that does nothing else this is
    /// `requests_per_s`; what others take of the processor meanwhile is not counted.
    pub(crate) fn rate(&self) -> f64 {
        1e6 / (self.server_us + self.client_us)
    }
}

impl Results {
    /// From the file; empty where there is none yet.
    pub(crate) fn load(file: &Path) -> Result<Self> {
        if !file.exists() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(file)?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()).into())
    }

    pub(crate) fn save(&self, file: &Path) -> Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(std::fs::write(file, text)?)
    }
}

impl<T> Taken<T> {
    /// By `measure`, now and here.
    pub(crate) fn now(quick: bool, measure: impl FnOnce() -> Result<T>) -> Result<Self> {
        let load_average = load_average();
        Ok(Self {
            at: jiff::Timestamp::now()
                .strftime("%Y-%m-%d %H:%M UTC")
                .to_string(),
            commit: commit(),
            machine: machine(),
            load_average,
            quick,
            figures: measure()?,
        })
    }
}

fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split(' ').next();
    first.and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

fn commit() -> String {
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command.args(words);
        process::output(command)
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let changed = if git(&[
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        "crates",
    ])
    .is_empty()
    {
        ""
    } else {
        " with changes"
    };
    format!("{}{changed}", git(&["rev-parse", "--short", "HEAD"]))
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut rustc = Command::new("rustc");
    rustc.arg("--version");
    let rustc = process::output(rustc).unwrap_or_default();
    let rustc = rustc.split(' ').nth(1).unwrap_or("?");
    let kernel = kernel.trim();
    format!("{processors} x {model}, Linux {kernel}, rustc {rustc}")
}
