//! The threads that may hang: a bounded number of them waits for the file server, everybody else waits for them, and
//! not for longer than the deadline.
//!
//! They are the store's own. A call into a file server that is gone cannot be taken back; in the runtime's pool it would
//! hold up the end of the process and everything else that blocks.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cloakroom_core::store::StoreError;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::error::unavailable;
use super::io::{self, Progress};

/// Work that waits for a thread at most.
const QUEUE_MAX: usize = 4096;
/// Operations in a row without an answer until no more are begun.
const HANGS: u32 = 4;
/// How long then none is begun but one, to see whether the file server is back.
const PAUSE: Duration = Duration::from_millis(500);

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    idle: usize,
    threads: usize,
    closed: bool,
    /// Deadlines missed since the last answer.
    hangs: u32,
    next_try: Option<Instant>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

/// See the module. Dropping it lets the threads end, and waits for none.
pub(super) struct Pool {
    shared: Arc<Shared>,
    threads: usize,
}

impl Pool {
    pub(super) fn new(threads: usize) -> Self {
        let shared = Shared {
            state: Mutex::default(),
            wake: Condvar::new(),
        };
        Self {
            shared: Arc::new(shared),
            threads: threads.max(1),
        }
    }

    /// Runs `work` on a thread; an error of kind `unavailable` where it has done no step for as long as `deadline`, or
    /// is not done after `whole`. Work that was not yet begun by then never is; work that was begun ends at its next
    /// step.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        deadline: Duration,
        whole: Duration,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, mut answered) = oneshot::channel();
        let until = Instant::now() + whole;
        let progress = Progress::default();
        let count = Arc::clone(&progress);
        self.submit(Box::new(move || {
            if !answer.is_closed() {
                let work = AssertUnwindSafe(|| io::until(until, count, work));
                let done = catch_unwind(work)
                    .unwrap_or_else(|_| Err(unavailable("the store's work broke off")));
                drop(answer.send(done));
            }
        }))?;
        let mut seen = 0;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let done = tokio::time::timeout(deadline.min(left), &mut answered).await;
            let steps = progress.load(Ordering::Relaxed);
            match done {
                Ok(Ok(done)) => {
                    self.shared.state.lock().hangs = 0;
                    return done;
                }
                Err(_) if steps > seen && deadline < left => seen = steps,
                _ => {
                    let mut state = self.shared.state.lock();
                    state.hangs = state.hangs.saturating_add(1);
                    return Err(unavailable("the file server does not answer"));
                }
            }
        }
    }

    fn submit(&self, job: Job) -> Result<(), StoreError> {
        let mut state = self.shared.state.lock();
        if state.hangs >= HANGS {
            let now = Instant::now();
            if state.next_try.is_some_and(|next| now < next) {
                return Err(unavailable("the file server did not answer lately"));
            }
            // This one looks whether it is back. Not all nodes look at the same moment.
            state.next_try = Some(now + PAUSE.mul_f64(rand::random_range(0.5..1.5)));
        }
        if state.jobs.len() >= QUEUE_MAX {
            return Err(unavailable("too much waits for the file server"));
        }
        state.jobs.push_back(job);
        if state.idle == 0 && state.threads < self.threads {
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new().name("cloakroom-files".into());
            match thread.spawn(move || shared.work()) {
                Ok(_) => state.threads += 1,
                Err(error) if state.threads == 0 => {
                    state.jobs.pop_back();
                    return Err(unavailable("starting a thread").because(error));
                }
                Err(_) => {}
            }
        }
        drop(state);
        self.shared.wake.notify_one();
        Ok(())
    }
}

impl Shared {
    fn work(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                job();
                state = self.state.lock();
            } else if state.closed {
                return;
            } else {
                state.idle += 1;
                self.wake.wait(&mut state);
                state.idle -= 1;
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.wake.notify_all();
    }
}
