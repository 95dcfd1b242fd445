//! Health: whether the process lives, and whether it should get requests.

use parking_lot::RwLock;
use serde_json::{Map, Value};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How long one check may take before it counts as failed.
const CHECK_LIMIT: Duration = Duration::from_secs(2);

type Check =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// The registered readiness checks, and whether the server is about to stop.
#[derive(Default)]
pub struct Health {
    checks: RwLock<Vec<(&'static str, Check)>>,
    draining: AtomicBool,
}

impl Health {
    /// Registers a check. It is asked at every `/readyz`; its error is shown there, so it must hold no secret.
    pub fn add_check<F, A>(&self, name: &'static str, check: F)
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.checks
            .write()
            .push((name, Arc::new(move || Box::pin(check()))));
    }

    /// From now on the server is not ready: it finishes what it has.
    pub fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server is about to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Asks every check, all at the same time. `Ok` and the answers where all passed and the server is not draining.
    ///
    /// # Errors
    /// The answers, where one failed or the server is draining.
    pub async fn ready(&self) -> Result<Map<String, Value>, Map<String, Value>> {
        let checks = self.checks.read().clone();
        let running: Vec<_> = checks
            .into_iter()
            .map(|(name, check)| {
                (
                    name,
                    tokio::spawn(tokio::time::timeout(CHECK_LIMIT, check())),
                )
            })
            .collect();
        let (mut answers, mut all_passed) = (Map::new(), !self.is_draining());
        if self.is_draining() {
            answers.insert("draining".into(), "the server is about to stop".into());
        }
        for (name, check) in running {
            let answer = match check.await {
                Ok(Ok(Ok(()))) => "ok".to_owned(),
                Ok(Ok(Err(why))) => why,
                Ok(Err(_)) => "no answer in time".to_owned(),
                Err(_) => "the check failed".to_owned(),
            };
            all_passed &= answer == "ok";
            answers.insert(name.to_owned(), answer.into());
        }
        if all_passed {
            Ok(answers)
        } else {
            Err(answers)
        }
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health")
            .field("draining", &self.is_draining())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_failed_or_slow_check_is_enough() {
        let health = Health::default();
        health.add_check("store", || async { Ok(()) });
        assert!(health.ready().await.is_ok());
        health.add_check("slow", std::future::pending);
        health.add_check("bad", || async { Err("no".to_owned()) });
        let answers = health.ready().await.unwrap_err();
        assert_eq!(
            (&answers["store"], &answers["slow"], &answers["bad"]),
            (&"ok".into(), &"no answer in time".into(), &"no".into())
        );
    }

    #[tokio::test]
    async fn a_draining_server_is_not_ready() {
        let health = Health::default();
        health.start_draining();
        assert!(health.ready().await.is_err());
    }
}
