//! Database files grow by 16 MiB at a time, and not to twice their size.
//!
//! The engine lays a file out in regions. In the first one it doubles the file; from then on it adds region by region,
//! allocates in the lowest one that has room, and cuts off the last one when it is empty. Its own regions have 4 GiB, so
//! a file of ours would double for ever. How large they are stands in the header of each file (redb's `docs/design.md`,
//! "region max data pages") and is read from there at every start, but the engine has no option for it: so it is put
//! there while the engine writes the header of a new file, before the first page.

use std::ops::Bound;

use redb::{BackendError, StorageBackend};

/// Pages of 4 KiB in a region, a power of two: 16 MiB. Smaller ones would cost time: every commit writes down what is free
/// in each. The largest row has to fit into one.
const REGION_PAGES: u32 = 4096;
/// Where the header has it: behind the magic number, a byte, the padding, the page size and the pages of a region's header.
const REGION_PAGES_AT: std::ops::Range<usize> = 20..24;

/// See the module.
#[derive(Debug)]
pub(super) struct Regions<B> {
    backend: B,
    /// Whether the file was empty, so that its layout is still ours to choose.
    new: bool,
}

impl<B: StorageBackend> Regions<B> {
    pub(super) fn of(backend: B) -> std::io::Result<Self> {
        let new = backend.len()? == 0;
        Ok(Self { backend, new })
    }
}

type IoResult<T> = std::io::Result<T>;

impl<B: StorageBackend> StorageBackend for Regions<B> {
    fn len(&self) -> IoResult<u64> {
        self.backend.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> IoResult<()> {
        self.backend.read(offset, out)
    }

    fn set_len(&self, len: u64) -> IoResult<()> {
        self.backend.set_len(len)
    }

    fn sync_data(&self) -> IoResult<()> {
        self.backend.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> IoResult<()> {
        if !self.new || offset > 0 {
            return self.backend.write(offset, data);
        }
        let mut header = data.to_vec();
        if let Some(pages) = header.get_mut(REGION_PAGES_AT) {
            pages.copy_from_slice(&REGION_PAGES.to_le_bytes());
        }
        self.backend.write(offset, &header)
    }

    fn close(&self) -> IoResult<()> {
        self.backend.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.backend.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.query_lock_range(start, end)
    }
}
