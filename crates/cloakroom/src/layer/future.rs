//! Steps 7 and 8 of a request: close, write, and only then the header.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use cloakroom_core::lifecycle::Outcome;
use http::Response;
use pin_project_lite::pin_project;

use super::{refuse, reply};
use crate::session::{Closing, Error, Session};

pin_project! {
    /// The response of a [`SessionService`](super::SessionService), after the session was closed.
    ///
    /// Dropped before it is ready, because the client went away or the handler panicked, it carries nothing out. It boxes
    /// nothing unless something is written.
    pub struct ResponseFuture<F, B> {
        #[pin]
        handler: F,
        held: Held,
        closing: Option<Close<B>>,
    }
}

/// When the response has left, or never will, no token can be given out any more, whoever still holds the session.
struct Held(Session);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.reply();
    }
}

struct Close<B> {
    write: Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>,
    response: Option<Response<B>>,
}

impl<F, B> ResponseFuture<F, B> {
    pub(super) fn new(handler: F, session: Session) -> Self {
        Self {
            handler,
            held: Held(session),
            closing: None,
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Default + 'static,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.closing.is_none() {
            let mut response = ready!(this.handler.poll(context))?;
            let Held(session) = &*this.held;
            let outcome = match response.status().is_server_error() {
                true => Outcome::Failed,
                false => Outcome::Answered,
            };
            match session.closing(outcome) {
                Closing::Untouched => {
                    session.reply();
                    return Poll::Ready(Ok(response));
                }
                Closing::Read => {
                    reply::write(session, &mut response);
                    return Poll::Ready(Ok(response));
                }
                Closing::Write => {
                    if let Some(written) = at_once(session, outcome, context) {
                        return Poll::Ready(Ok(end(session, written, response)));
                    }
                    let write = Box::pin(session.clone().close(outcome));
                    *this.closing = Some(Close {
                        write,
                        response: Some(response),
                    });
                }
            }
        }
        let Held(session) = &*this.held;
        let Some(closing) = this.closing.as_mut() else {
            return Poll::Pending;
        };
        let written = ready!(closing.write.as_mut().poll(context));
        let answered = closing.response.take().unwrap_or_default();
        Poll::Ready(Ok(end(session, written, answered)))
    }
}

/// Writes what is pending without a box, where the store never waits. `None` where another handle holds the session
/// just now: then nothing was done, for a close that is dropped puts everything back.
fn at_once(
    session: &Session,
    outcome: Outcome,
    context: &mut Context<'_>,
) -> Option<Result<(), Error>> {
    if !session.sessions().store().profile().ready {
        return None;
    }
    match pin!(session.clone().close(outcome)).poll(context) {
        Poll::Ready(written) => Some(written),
        Poll::Pending => None,
    }
}

fn end<B: Default + 'static>(
    session: &Session,
    written: Result<(), Error>,
    answered: Response<B>,
) -> Response<B> {
    // What the handler answered must not be seen where what it wrote was not kept.
    let mut response = match written {
        Ok(()) => answered,
        Err(error) => refuse(&error),
    };
    reply::write(session, &mut response);
    response
}
