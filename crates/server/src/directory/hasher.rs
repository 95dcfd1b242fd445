//! Argon2id on blocking threads, a few at a time: a flood of logins takes neither all processors nor all memory.

use super::{Error, frugal::Frugal};
use crate::config;
use argon2::{
    Algorithm, Params,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use base64::Engine;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// Passwords that may wait for their turn. At some 30 ms each the last of them waits two seconds.
const LONGEST_QUEUE: usize = 64;

pub(super) struct Hasher {
    argon2: Frugal,
    /// A hash that no password has, with the parameters in force: an unknown user takes as long as a known one.
    nobody: String,
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// What a password proved to be.
pub(super) enum Checked {
    Wrong,
    /// Right, and hashed with the parameters in force.
    Right,
    /// Right, but hashed with others: here is the hash to keep from now on.
    RightRehashed(String),
}

impl Hasher {
    pub(super) fn new(costs: &config::Argon2) -> Self {
        let kib = u32::try_from(costs.memory.as_usize() / 1024).unwrap_or(u32::MAX);
        // The configuration was checked against wider ranges than Argon2's own; the default cannot fail.
        let params =
            Params::new(kib, costs.iterations, costs.parallelism, None).unwrap_or(Params::DEFAULT);
        let argon2 = Frugal::new(params);
        let at_once = costs.at_once.map_or_else(
            || {
                let cores = std::thread::available_parallelism().map_or(1, usize::from);
                (cores / 2).clamp(1, 4)
            },
            |at_once| usize::try_from(at_once).unwrap_or(1),
        );
        Self {
            nobody: nobody(argon2.params()),
            argon2,
            slots: Arc::new(Semaphore::new(at_once)),
            waiting: AtomicUsize::new(0),
        }
    }

    /// The PHC string to keep.
    pub(super) async fn hash(&self, password: Zeroizing<String>) -> Result<String, Error> {
        let argon2 = self.argon2.clone();
        self.in_turn(move || hash(&argon2, &password)).await?
    }

    /// Compares with a kept hash; with `None`, for a name that nobody has, it takes as long and is never right.
    pub(super) async fn check(
        &self,
        password: Zeroizing<String>,
        kept: Option<&str>,
    ) -> Result<Checked, Error> {
        let argon2 = self.argon2.clone();
        let is_known = kept.is_some();
        let kept = kept.unwrap_or(&self.nobody).to_owned();
        self.in_turn(move || {
            let parsed = PasswordHash::new(&kept).map_err(|_| Error::Damaged)?;
            let is_right = argon2.verify_password(password.as_bytes(), &parsed).is_ok();
            Ok(match (is_known && is_right, is_current(&parsed, &argon2)) {
                (false, _) => Checked::Wrong,
                (true, true) => Checked::Right,
                (true, false) => Checked::RightRehashed(hash(&argon2, &password)?),
            })
        })
        .await?
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let permit = {
            let _place = Place::take(&self.waiting)?;
            let slots = Arc::clone(&self.slots);
            slots.acquire_owned().await.map_err(|_| Error::Busy)?
        };
        // The permit goes into the thread: where the caller goes away, the hash under way still counts.
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        done.await.map_err(|_| Error::Busy)
    }
}

/// A place in the queue; given back on drop, also by a caller that goes away.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Result<Self, Error> {
        let place = Self(waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) < LONGEST_QUEUE {
            Ok(place)
        } else {
            Err(Error::Busy)
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn hash(argon2: &Frugal, password: &str) -> Result<String, Error> {
    // Only the system's random generator can fail here.
    let hash: PasswordHash = argon2
        .hash_password(password.as_bytes())
        .map_err(|_| Error::Busy)?;
    Ok(hash.to_string())
}

fn is_current(hash: &PasswordHash, argon2: &Frugal) -> bool {
    let now = argon2.params();
    hash.algorithm.as_str() == Algorithm::Argon2id.as_str()
        && Params::try_from(hash).is_ok_and(|then| {
            (then.m_cost(), then.t_cost(), then.p_cost())
                == (now.m_cost(), now.t_cost(), now.p_cost())
        })
}

/// Random bytes in place of a hash: that a password has exactly these is as likely as guessing a key.
fn nobody(params: &Params) -> String {
    let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
    let salt = engine.encode(rand::random::<[u8; 16]>());
    let output = engine.encode(rand::random::<[u8; 32]>());
    let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
    format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${output}")
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Size;

    fn hasher(iterations: u32) -> Hasher {
        Hasher::new(&config::Argon2 {
            memory: Size::kib(8 * 1024),
            iterations,
            parallelism: 1,
            at_once: None,
        })
    }

    fn text(password: &str) -> Zeroizing<String> {
        Zeroizing::new(password.to_owned())
    }

    #[tokio::test]
    async fn right_is_right_wrong_is_wrong_and_nobody_is_nobody() {
        let hasher = hasher(1);
        let kept = hasher.hash(text("correct horse")).await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=8192,t=1,p=1$"), "{kept}");
        let check = async |password: &str, kept| hasher.check(text(password), kept).await.unwrap();
        assert!(matches!(
            check("correct horse", Some(&*kept)).await,
            Checked::Right
        ));
        assert!(matches!(
            check("correct hors", Some(&*kept)).await,
            Checked::Wrong
        ));
        assert!(matches!(check("correct horse", None).await, Checked::Wrong));
        assert!(hasher.check(text("x"), Some("$argon2id$")).await.is_err());
    }

    #[tokio::test]
    async fn other_parameters_mean_a_new_hash() {
        let (old, new) = (hasher(1), hasher(2));
        let kept = old.hash(text("correct horse")).await.unwrap();
        let Checked::RightRehashed(next) =
            new.check(text("correct horse"), Some(&kept)).await.unwrap()
        else {
            panic!("it was not hashed anew")
        };
        assert!(next.contains("t=2"), "{next}");
        assert!(matches!(
            new.check(text("correct horse"), Some(&next)).await.unwrap(),
            Checked::Right
        ));
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_gives_its_places_back() {
        let hasher = Arc::new(hasher(1));
        let all = hasher.slots.available_permits();
        let held = Arc::clone(&hasher.slots)
            .acquire_many_owned(u32::try_from(all).unwrap())
            .await
            .unwrap();
        let tasks: Vec<_> = (0..LONGEST_QUEUE)
            .map(|_| {
                let hasher = Arc::clone(&hasher);
                tokio::spawn(async move { hasher.hash(text("correct horse")).await.is_ok() })
            })
            .collect();
        while hasher.waiting.load(Ordering::Relaxed) < LONGEST_QUEUE {
            tokio::task::yield_now().await;
        }
        assert!(matches!(
            hasher.hash(text("correct horse")).await,
            Err(Error::Busy)
        ));
        for task in &tasks[1..] {
            task.abort();
        }
        drop(held);
        assert!(tasks.into_iter().next().unwrap().await.unwrap());
        assert!(hasher.hash(text("correct horse")).await.is_ok());
    }
}
