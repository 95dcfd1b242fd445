//! Counts log lines that an operator would see.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// Lines at `INFO` and above, of this thread, while the value lives.
pub(crate) struct Lines {
    count: Arc<AtomicUsize>,
    _guard: DefaultGuard,
}

struct Counter(Arc<AtomicUsize>);

impl<S: Subscriber> Layer<S> for Counter {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() <= Level::INFO {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Lines {
    pub(crate) fn count_from_now() -> Self {
        let count = Arc::new(AtomicUsize::new(0));
        let subscriber = tracing_subscriber::registry().with(Counter(Arc::clone(&count)));
        Self {
            count,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    pub(crate) fn so_far(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}
