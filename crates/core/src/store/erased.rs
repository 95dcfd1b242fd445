//! Stores behind one type, so that what uses them need not be generic.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::{
    Created, Cursor, Deleted, Entry, ErrorKind, Expect, Expected, Kind, Listed, Loaded, Profile,
    Put, Registry, ReplayGuard, Revoked, Scope, Store, StoreError, SubjectIndex, Swept, Touched,
    Updated,
};
use crate::change::Change;
use crate::policy::SubjectLimit;
use crate::record::{Activity, Epoch, Record};
use crate::time::Timestamp;
use crate::token::SessionId;

/// The answer of an erased store: there already, from a store that declares itself [`Profile::ready`], else a boxed
/// future.
pub struct Answer<'a, T>(Progress<'a, T>);

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

enum Progress<'a, T> {
    Ready(Option<Result<T, StoreError>>),
    Waiting(Boxed<'a, T>),
}

impl<'a, T> Answer<'a, T> {
    fn of(future: impl Future<Output = Result<T, StoreError>> + Send + 'a, ready: bool) -> Self {
        if !ready {
            return Self(Progress::Waiting(Box::pin(future)));
        }
        let answer = match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer,
            // S-19 is broken. Dropped here, it happened whole or not at all.
            Poll::Pending => Err(StoreError::new(
                ErrorKind::Unavailable,
                "a store that declares itself ready made its caller wait",
            )),
        };
        Self(Progress::Ready(Some(answer)))
    }
}

impl<T: Unpin> Future for Answer<'_, T> {
    type Output = Result<T, StoreError>;

    /// # Panics
    /// Polled again after it answered, as every future may.
    #[expect(clippy::expect_used, reason = "what the standard library's Ready does")]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            Progress::Ready(answer) => {
                Poll::Ready(answer.take().expect("polled after it answered"))
            }
            Progress::Waiting(future) => future.as_mut().poll(context),
        }
    }
}

macro_rules! erase {
    ($erased:ident, $handle:ident, [$($bound:ident),+], $ready:expr, {
        $( $(#[$doc:meta])* $of:ident :: $method:ident ( $($arg:ident : $ty:ty),* ) -> $out:ty; )+
    }) => {
        trait $erased: Send + Sync + 'static {
            $( fn $method<'a>(&'a self, $($arg: $ty),*) -> Answer<'a, $out>; )+
        }

        impl<T: $($bound +)+> $erased for T {
            $( fn $method<'a>(&'a self, $($arg: $ty),*) -> Answer<'a, $out> {
                let ready: fn(&T) -> bool = $ready;
                Answer::of(<T as $of>::$method(self, $($arg),*), ready(self))
            } )+
        }

        impl $handle {
            $( #[doc = concat!("See [`", stringify!($of), "::", stringify!($method), "`].")]
            pub fn $method<'a>(&'a self, $($arg: $ty),*) -> Answer<'a, $out> {
                self.inner.$method($($arg),*)
            } )+
        }
    };
}

/// Any store, as a cheap handle.
#[derive(Clone)]
pub struct DynStore {
    inner: Arc<dyn ErasedStore>,
    profile: Profile,
    may_lag: bool,
}

impl DynStore {
    /// Erases the type of `store`.
    pub fn new<S: Store + SubjectIndex + ReplayGuard>(store: S) -> Self {
        Self::from_arc(Arc::new(store))
    }

    /// Erases the type of a store that others hold too.
    pub fn from_arc<S: Store + SubjectIndex + ReplayGuard>(store: Arc<S>) -> Self {
        let (profile, may_lag) = (store.profile(), store.may_lag());
        Self {
            inner: store,
            profile,
            may_lag,
        }
    }

    /// See [`Store::may_lag`].
    pub fn may_lag(&self) -> bool {
        self.may_lag
    }

    /// What the store declares about itself.
    pub fn profile(&self) -> Profile {
        self.profile
    }
}

impl fmt::Debug for DynStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DynStore({})", self.profile.name)
    }
}

/// Any registry, as a cheap handle.
#[derive(Clone)]
pub struct DynRegistry {
    inner: Arc<dyn ErasedRegistry>,
}

impl DynRegistry {
    /// Erases the type of `registry`.
    pub fn new<R: Registry>(registry: R) -> Self {
        Self::from_arc(Arc::new(registry))
    }

    /// Erases the type of a registry that others hold too.
    pub fn from_arc<R: Registry>(registry: Arc<R>) -> Self {
        Self { inner: registry }
    }
}

impl fmt::Debug for DynRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynRegistry")
    }
}

erase! {
    ErasedStore, DynStore, [Store, SubjectIndex, ReplayGuard], |store| store.profile().ready, {
        Store::create(record: Record, limit: SubjectLimit, now: Timestamp) -> Created;
        Store::load(id: SessionId) -> Option<Loaded>;
        Store::load_fresh(id: SessionId) -> Option<Loaded>;
        Store::update(id: SessionId, expect: Expect, change: Change, limit: SubjectLimit, now: Timestamp) -> Updated;
        Store::touch(id: SessionId, activity: Activity, now: Timestamp) -> Touched;
        Store::delete(id: SessionId) -> Deleted;
        Store::sweep(now: Timestamp, limit: usize) -> Swept;
        Store::flush() -> ();
        SubjectIndex::epoch() -> Epoch;
        SubjectIndex::list(scope: Scope, cursor: Option<Cursor>, limit: usize, now: Timestamp) -> Listed;
        SubjectIndex::revoke_all(scope: Scope, except: Option<SessionId>, now: Timestamp) -> Revoked;
        ReplayGuard::first_seen(key: &'a [u8], until: Timestamp, now: Timestamp) -> bool;
    }
}

erase! {
    ErasedRegistry, DynRegistry, [Registry], |_| false, {
        Registry::get(kind: Kind, name: &'a str, now: Timestamp) -> Option<Entry>;
        Registry::put(kind: Kind, name: &'a str, expected: Expected, value: Option<Bytes>, expires: Option<Timestamp>, now: Timestamp) -> Put;
        Registry::list(kind: Kind, after: Option<&'a str>, limit: usize, now: Timestamp) -> Vec<Entry>;
        Registry::changed(kind: Kind, seen: u64) -> u64;
    }
}
