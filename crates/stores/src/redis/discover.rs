//! Asking members of a Cluster, or sentinels, who serves what.

use ::redis::Value;
use cloakroom_core::store::StoreError;
use tokio::time::{Duration, timeout};

use super::error::{of, unavailable};
use super::options::Endpoint;
use super::route::{Router, value};

impl Router {
    /// Who serves what, as any member of the Cluster says.
    pub(super) async fn ask_cluster(
        &self,
        seeds: &[Endpoint],
    ) -> Result<Vec<(u16, u16, Endpoint)>, StoreError> {
        let map = self.map();
        let links = map.links.iter().filter(|link| !link.is_away());
        let members = links
            .map(|link| link.to.clone())
            .chain(seeds.iter().cloned());
        let mut last = unavailable("no member of the Redis Cluster answers");
        let mut slots = ::redis::cmd("CLUSTER");
        slots.arg("SLOTS");
        for member in members {
            let asking = async {
                let mut connection = self.dial.connect(&member).await?;
                value(connection.send_packed_command(&slots).await?)
            };
            match timeout(Duration::from_secs(1), asking).await {
                Ok(Ok(answer)) => {
                    let ranges = ranges(&answer, &member);
                    if !ranges.is_empty() {
                        return Ok(ranges);
                    }
                }
                Ok(Err(error)) => last = of(error),
                Err(_) => {}
            }
        }
        Err(last)
    }

    /// The primary, as any sentinel says.
    pub(super) async fn ask_sentinels(
        &self,
        sentinels: &[Endpoint],
        master: &str,
    ) -> Result<Endpoint, StoreError> {
        let mut last = unavailable("no sentinel knows the primary");
        let mut cmd = ::redis::cmd("SENTINEL");
        cmd.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
        for sentinel in sentinels {
            let asking = async {
                let mut connection = self.to_sentinels.connect(sentinel).await?;
                value(connection.send_packed_command(&cmd).await?)
            };
            match timeout(Duration::from_secs(1), asking).await {
                Ok(Ok(Value::Array(words))) => {
                    if let [Value::BulkString(host), Value::BulkString(port)] = &words[..] {
                        let port = std::str::from_utf8(port).ok().and_then(|p| p.parse().ok());
                        if let (Ok(host), Some(port)) = (std::str::from_utf8(host), port) {
                            let host = host.into();
                            return Ok(Endpoint { host, port });
                        }
                    }
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => last = of(error),
                Err(_) => {}
            }
        }
        Err(last)
    }
}

/// Reads the answer to `CLUSTER SLOTS`.
fn ranges(answer: &Value, asked: &Endpoint) -> Vec<(u16, u16, Endpoint)> {
    let Value::Array(rows) = answer else {
        return Vec::new();
    };
    let read = |row: &Value| {
        let Value::Array(row) = row else { return None };
        let [Value::Int(from), Value::Int(to), Value::Array(primary), ..] = &row[..] else {
            return None;
        };
        let [host, Value::Int(port), ..] = &primary[..] else {
            return None;
        };
        let host = match host {
            Value::BulkString(host) if !host.is_empty() => std::str::from_utf8(host).ok()?.into(),
            _ => asked.host.clone(),
        };
        let port = u16::try_from(*port).ok()?;
        let server = Endpoint { host, port };
        Some((u16::try_from(*from).ok()?, u16::try_from(*to).ok()?, server))
    };
    rows.iter().filter_map(read).collect()
}
