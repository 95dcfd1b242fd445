//! The way down: who wants to know that the server stops, and what has to be flushed before it ends.

use parking_lot::Mutex;
use std::{fmt, future::Future, pin::Pin, time::Duration};
use tokio::sync::watch;

/// How long one hook may take.
const HOOK_LIMIT: Duration = Duration::from_secs(10);

type Hook = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send>;

/// Hooks that run after the last request was answered, and the signal that the server is about to stop.
pub struct Shutdown {
    hooks: Mutex<Vec<(&'static str, Hook)>>,
    stopping: watch::Sender<bool>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            hooks: Mutex::default(),
            stopping: watch::Sender::new(false),
        }
    }
}

impl Shutdown {
    /// Registers a hook. Hooks run after the drain, the last registered first, each with 10 s.
    pub fn add_hook<F, A>(&self, name: &'static str, hook: F)
    where
        F: FnOnce() -> A + Send + 'static,
        A: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.hooks
            .lock()
            .push((name, Box::new(move || Box::pin(hook()))));
    }

    /// For background jobs and open streams: `wait_for(|stopping| *stopping)` resolves when the drain begins.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Tells everybody who watches.
    pub fn begin(&self) {
        self.stopping.send_replace(true);
    }

    /// Runs the hooks and gives back what failed.
    ///
    /// # Errors
    /// The first failure; the other hooks ran nevertheless.
    pub async fn run_hooks(&self) -> Result<(), String> {
        let hooks = std::mem::take(&mut *self.hooks.lock());
        let mut outcome = Ok(());
        for (name, hook) in hooks.into_iter().rev() {
            let done = match tokio::time::timeout(HOOK_LIMIT, hook()).await {
                Ok(done) => done,
                Err(_) => Err("took too long".to_owned()),
            };
            if let Err(why) = done {
                tracing::error!(name, why, "could not be closed cleanly");
                outcome = outcome.and(Err(format!("{name}: {why}")));
            }
        }
        outcome
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("stopping", &*self.stopping.borrow())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test(start_paused = true)]
    async fn hooks_run_in_reverse_and_a_failure_stops_none() {
        let (shutdown, ran) = (Shutdown::default(), Arc::new(Mutex::new(Vec::new())));
        for name in ["first", "second", "third"] {
            let ran = Arc::clone(&ran);
            shutdown.add_hook(name, move || async move {
                ran.lock().push(name);
                if name == "second" {
                    Err("no".into())
                } else {
                    Ok(())
                }
            });
        }
        shutdown.add_hook("stuck", std::future::pending);
        assert_eq!(
            shutdown.run_hooks().await,
            Err("stuck: took too long".into())
        );
        assert_eq!(*ran.lock(), ["third", "second", "first"]);
    }
}
