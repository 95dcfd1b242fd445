//! A device's admin page with one place and 64 KiB, in a program without an async runtime: std alone drives the calls.
//! `cargo run -p cloakroom-examples --bin router_admin`

use std::error::Error;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use cloakroom::core::lifecycle::Begin;
use cloakroom::core::store::ErrorKind;
use cloakroom::service::{Cause, Error as SessionsError, Started, Verified};
use cloakroom::{Full, MemoryStore, Policy, Proof, SessionToken, Sessions, Subject};

/// Waits for a future on this thread. The memory store never makes it wait, so this is all that is needed.
fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => thread::park(),
        }
    }
}

/// What the device's web server calls; the token travels in its cookie.
struct AdminPage {
    sessions: Sessions,
}

enum Login {
    SignedIn(Started),
    /// Somebody is signed in already: a 503 with those words.
    Occupied,
}

impl AdminPage {
    fn new() -> Self {
        let store = MemoryStore::builder()
            .reserve(64 * 1024)
            .max_sessions(1)
            .full(Full::Reject)
            .build();
        // Who walks away blocks the page no longer than this.
        let policy = Policy {
            idle_timeout: Duration::from_secs(5 * 60),
            ..Policy::default()
        };
        let sessions = Sessions::builder(store).policy(policy).build();
        Self { sessions }
    }

    /// After the password was checked.
    fn log_in(&self, who: Subject) -> Result<Login, SessionsError> {
        let begin = Begin {
            proof: Some(Proof::of(who)),
            admitted: wait(self.sessions.admitted())?,
            ..Begin::default()
        };
        match wait(self.sessions.create(&begin)) {
            Ok(started) => Ok(Login::SignedIn(started)),
            Err(SessionsError::Store(error)) if error.kind() == ErrorKind::Full => {
                Ok(Login::Occupied)
            }
            Err(error) => Err(error),
        }
    }

    /// Who sends this cookie. A store that fails is an error, never "nobody".
    fn who(&self, token: &SessionToken) -> Result<Option<Subject>, SessionsError> {
        Ok(match wait(self.sessions.verify(token, true))? {
            Verified::Active(record) => record.security.subject.clone(),
            Verified::Inactive(_) => None,
        })
    }

    fn log_out(&self, token: &SessionToken) -> Result<(), SessionsError> {
        if let Verified::Active(record) = wait(self.sessions.verify(token, false))? {
            wait(self.sessions.end(record.id, Cause::Ended))?;
        }
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "a program that shows what it does")]
fn main() -> Result<(), Box<dyn Error>> {
    let page = AdminPage::new();
    let Login::SignedIn(started) = page.log_in(Subject::new("admin")?)? else {
        return Err("the page is free at first".into());
    };
    println!("session {} began", started.record.id);
    if let Some(who) = page.who(&started.token)? {
        println!("{who} may change the settings");
    }
    if let Login::Occupied = page.log_in(Subject::new("admin")?)? {
        println!("a second browser is asked to come later");
    }
    page.log_out(&started.token)?;
    println!("signed out; the place is free");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admin() -> Subject {
        Subject::new("admin").unwrap()
    }

    #[test]
    fn one_place_is_taken_kept_and_given_back() {
        let page = AdminPage::new();
        for _ in 0..3 {
            let Login::SignedIn(first) = page.log_in(admin()).unwrap() else {
                panic!("the place is free");
            };
            let second = page.log_in(admin()).unwrap();
            assert!(matches!(second, Login::Occupied));
            assert_eq!(page.who(&first.token).unwrap(), Some(admin()));
            page.log_out(&first.token).unwrap();
            assert_eq!(page.who(&first.token).unwrap(), None);
        }
    }

    #[test]
    fn it_runs_as_printed() {
        main().unwrap();
    }
}
