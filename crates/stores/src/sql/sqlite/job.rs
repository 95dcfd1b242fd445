//! A piece of work for the writer: done in a transaction with others, answered when that is kept.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use cloakroom_core::store::StoreError;
use tokio::sync::oneshot;

use super::error::unavailable;
use super::rows::Rows;

/// See the module.
pub(super) trait Job: Send {
    /// Whether somebody still waits for it. Where nobody does before it begins, it does not happen.
    fn is_wanted(&self) -> bool;
    /// Does it; answers whether it is to be kept.
    fn run(&mut self, connection: &mut rusqlite::Connection, around: &Around<'_>) -> bool;
    /// Answers; `failed` where the transaction was not kept.
    fn finish(self: Box<Self>, failed: Option<&Arc<StoreError>>);
}

/// What a piece of work sees besides the connection.
pub(super) struct Around<'w> {
    pub(super) pending: &'w super::super::verbs::touches::Pending,
}

struct Task<T, W> {
    work: Option<W>,
    answer: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
    now: cloakroom_core::Timestamp,
}

/// Makes a job of `work`, and where its answer comes.
pub(super) fn job<T, W>(
    now: cloakroom_core::Timestamp,
    work: W,
) -> (Box<dyn Job>, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    W: FnOnce(&mut Rows<'_>) -> Result<T, StoreError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let task = Task {
        work: Some(work),
        answer: None,
        reply,
        now,
    };
    (Box::new(task), answer)
}

impl<T, W> Job for Task<T, W>
where
    T: Send,
    W: FnOnce(&mut Rows<'_>) -> Result<T, StoreError> + Send,
{
    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn run(&mut self, connection: &mut rusqlite::Connection, around: &Around<'_>) -> bool {
        let Some(work) = self.work.take() else {
            return false;
        };
        let answer = work(&mut Rows::new(connection, around.pending, self.now));
        let kept = answer.is_ok();
        self.answer = Some(answer);
        kept
    }

    fn finish(self: Box<Self>, failed: Option<&Arc<StoreError>>) {
        let answer = match (failed, self.answer) {
            // What failed by itself says why.
            (_, Some(Err(error))) => Err(error),
            (None, Some(answer)) => answer,
            (None, None) => return,
            (Some(error), _) => Err(StoreError::new(
                error.kind(),
                "the transaction it belonged to was not kept",
            )
            .because(Arc::clone(error))),
        };
        // Nobody waits any more: it happened all the same.
        drop(self.reply.send(answer));
    }
}

/// The answer of a verb on [`Rows`], whose futures are done when they are first polled.
pub(super) fn at_once<T>(
    verb: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match pin!(verb).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => Err(unavailable("a piece of work waited where nothing waits")),
    }
}
