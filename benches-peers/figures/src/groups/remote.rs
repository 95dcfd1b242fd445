//! Stores outside the process: each beside the raw client of its server, and the library over HTTP on each.
//!
//! The store's server has the other processor to itself, as a database has a machine of its own; so what counts is
//! requests a second, and not processor time.

use std::process::Command;

use cloakroom_test_servers::postgres::Postgres;
use cloakroom_test_servers::redis::Redis;

use super::library::begin;
use super::stores::document;
use crate::http::{Each, Requests, Subject, measure as rounds};
use crate::options::Options;
use crate::process::{self, Running};
use crate::results::{HttpFigures, RemoteFigures};
use crate::{Result, complain};

/// As the tables call them.
pub(crate) const NAMES: [&str; 4] = [
    "Redis",
    "Redis with a near cache",
    "PostgreSQL",
    "PostgreSQL with a near cache",
];
const SESSIONS: usize = 1000;
const PATHS: [(&str, &str); 2] = [("read", "/read"), ("read + write", "/write")];

pub(super) fn measure(options: &Options) -> Result<RemoteFigures> {
    let examples = options.ours.join("examples");
    Ok(RemoteFigures {
        redis: document(&examples.join("redis_figures"), &["--json"])?,
        postgres: document(&examples.join("postgres_figures"), &["--json"])?,
        http: over_http(options)?,
    })
}

fn over_http(options: &Options) -> Result<Vec<HttpFigures>> {
    let folder = tempfile::tempdir()?;
    let redis = Redis::single(["--appendonly", "yes", "--appendfsync", "everysec"]);
    let postgres = Postgres::on_disk(&["shared_buffers=1GB"]);
    let in_redis = format!("redis://{}/?prefix", redis.addr());
    let in_postgres = format!("postgres://postgres@{}/postgres?schema", postgres.address());
    let stores = [
        (NAMES[0], format!("{in_redis}=far:")),
        (NAMES[1], format!("{in_redis}=near:&near_cache=64MiB")),
        (NAMES[2], format!("{in_postgres}=far")),
        (NAMES[3], format!("{in_postgres}=near&near_cache=64MiB")),
    ];
    let mut servers = vec![(
        "control",
        Running::start(httpd(&["control"])?)?,
        vec![String::new()],
    )];
    for (name, url) in &stores {
        let server = Running::start(httpd(&["cloakroom", url])?)?;
        let cookies = begin(&server, SESSIONS)?;
        complain(&format!("{name}: {}", server.address));
        servers.push((name, server, cookies));
    }
    let mut subjects = Vec::new();
    for (case, path) in PATHS {
        for (name, server, cookies) in &servers {
            let requests = Requests {
                method: "GET",
                path,
                headers: &[],
                each: Each::Cookie(cookies),
            };
            let name = format!("{name}, {case}");
            let script = requests.script(folder.path(), &name.replace(' ', "-"))?;
            subjects.push(Subject {
                name,
                server,
                script,
            });
        }
    }
    rounds(&subjects, options.of(3, 5), options.of(1, 4))
}

fn httpd(words: &[&str]) -> Result<Command> {
    let mut command = process::pinned(&process::beside("httpd")?);
    command.args(words);
    Ok(command)
}
