//! What a client holds and believes, and what the network makes of what it asks.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fuser::{FileHandle, FileType, INodeNo};
use parking_lot::Mutex;
use rustix::io::Errno;

use super::faults::{Fate, Faults};
use super::nodes::{Answer, Nodes};

pub(super) type Names = Arc<Vec<(u64, FileType, Vec<u8>)>>;

pub(super) struct FaultyFs {
    pub(super) nodes: Arc<Nodes>,
    pub(super) stale: Duration,
    pub(super) faults: Arc<Faults>,
    pub(super) handles: Mutex<HashMap<u64, Arc<OwnedFd>>>,
    pub(super) next: AtomicU64,
    /// Listings that the client believes.
    listings: Mutex<HashMap<u64, (Instant, Names)>>,
    pub(super) open_listings: Mutex<HashMap<u64, Names>>,
}

impl FaultyFs {
    pub(super) fn new(server: &Path, stale: Duration, faults: Arc<Faults>) -> Self {
        Self {
            nodes: Arc::new(Nodes::new(server)),
            stale,
            faults,
            handles: Mutex::default(),
            next: AtomicU64::new(1),
            listings: Mutex::default(),
            open_listings: Mutex::default(),
        }
    }

    pub(super) fn look<T>(&self, act: impl FnOnce(&Nodes) -> Answer<T>) -> Answer<T> {
        match self.faults.of_look() {
            Fate::Fails(error) => Err(Errno::from_raw_os_error(error)),
            _ => act(&self.nodes),
        }
    }

    /// A change of names in these folders.
    pub(super) fn change<T: Send + 'static>(
        &self,
        folders: &[INodeNo],
        fate: Fate,
        act: impl Fn(&Nodes) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let answer = self.carried_out(fate, act);
        // The client knows what it has done itself; of what it was told no to, it goes on believing what it saw.
        if answer.is_ok() {
            let mut listings = self.listings.lock();
            for folder in folders {
                listings.remove(&folder.0);
            }
        }
        answer
    }

    fn carried_out<T: Send + 'static>(
        &self,
        fate: Fate,
        act: impl Fn(&Nodes) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        match fate {
            Fate::Done => act(&self.nodes),
            Fate::Fails(error) => Err(Errno::from_raw_os_error(error)),
            Fate::Twice => {
                let first = act(&self.nodes);
                // What is not done the first time is not done the second time either.
                if first.is_ok() {
                    act(&self.nodes)
                } else {
                    first
                }
            }
            Fate::DoneButFails(error) => {
                drop(act(&self.nodes));
                Err(Errno::from_raw_os_error(error))
            }
            Fate::FailsThenDone(error) => {
                let nodes = Arc::clone(&self.nodes);
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(15));
                    drop(act(&nodes));
                });
                Err(Errno::from_raw_os_error(error))
            }
        }
    }

    pub(super) fn keep(&self, fd: OwnedFd) -> FileHandle {
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        self.handles.lock().insert(handle, Arc::new(fd));
        FileHandle(handle)
    }

    pub(super) fn handle(&self, handle: FileHandle) -> Answer<Arc<OwnedFd>> {
        let handles = self.handles.lock();
        handles.get(&handle.0).cloned().ok_or(Errno::BADF)
    }

    pub(super) fn names(&self, node: INodeNo) -> Answer<Names> {
        if let Some((at, names)) = self.listings.lock().get(&node.0)
            && at.elapsed() < self.stale
        {
            return Ok(Arc::clone(names));
        }
        let names = Arc::new(self.look(|nodes| nodes.names(node))?);
        let mut listings = self.listings.lock();
        listings.insert(node.0, (Instant::now(), Arc::clone(&names)));
        Ok(names)
    }
}
