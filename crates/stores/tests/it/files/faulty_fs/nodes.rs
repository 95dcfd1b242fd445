//! Handles of the file server: they follow what is renamed, and are stale once it is removed.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{FileAttr, FileType, INodeNo};
use parking_lot::Mutex;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat};
use rustix::io::Errno;

pub(super) type Answer<T> = Result<T, Errno>;

pub(super) struct Nodes(Mutex<HashMap<u64, (Arc<OwnedFd>, u64)>>);

impl Nodes {
    pub(super) fn new(root: &Path) -> Self {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, root, flags, Mode::empty()).unwrap();
        let nodes = HashMap::from([(INodeNo::ROOT.0, (Arc::new(root), u64::MAX / 2))]);
        Self(Mutex::new(nodes))
    }

    /// The handle of a node that is still there.
    pub(super) fn get(&self, node: INodeNo) -> Answer<Arc<OwnedFd>> {
        let fd = self.0.lock().get(&node.0).map(|(fd, _)| Arc::clone(fd));
        let fd = fd.ok_or(Errno::STALE)?;
        match rustix::fs::fstat(&*fd)?.st_nlink {
            0 => Err(Errno::STALE),
            _ => Ok(fd),
        }
    }

    /// Looks up a name; the client then holds its handle.
    pub(super) fn look_up(&self, parent: INodeNo, name: &OsStr) -> Answer<FileAttr> {
        let parent = self.get(parent)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&*parent, name, flags, Mode::empty())?;
        let attr = attr(&rustix::fs::fstat(&fd)?);
        let mut nodes = self.0.lock();
        nodes
            .entry(attr.ino.0)
            .or_insert_with(|| (Arc::new(fd), 0))
            .1 += 1;
        Ok(attr)
    }

    pub(super) fn attr(&self, node: INodeNo) -> Answer<FileAttr> {
        let mut attr = attr(&rustix::fs::fstat(&*self.get(node)?)?);
        attr.ino = node;
        Ok(attr)
    }

    pub(super) fn forget(&self, node: INodeNo, count: u64) {
        let mut nodes = self.0.lock();
        if let Some((_, held)) = nodes.get_mut(&node.0) {
            *held = held.saturating_sub(count);
            if *held == 0 {
                nodes.remove(&node.0);
            }
        }
    }

    /// A node opened for use.
    pub(super) fn open(&self, node: INodeNo, flags: OFlags) -> Answer<OwnedFd> {
        use std::os::fd::AsRawFd as _;
        let fd = self.get(node)?;
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        rustix::fs::openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty())
    }

    /// The names in a folder.
    pub(super) fn names(&self, node: INodeNo) -> Answer<Vec<(u64, FileType, Vec<u8>)>> {
        let fd = self.open(node, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&fd)? {
            let entry = entry?;
            let kind = match entry.file_type() {
                rustix::fs::FileType::Directory => FileType::Directory,
                _ => FileType::RegularFile,
            };
            names.push((entry.ino(), kind, entry.file_name().to_bytes().to_vec()));
        }
        Ok(names)
    }

    pub(super) fn unlink(&self, parent: INodeNo, name: &OsStr, flags: AtFlags) -> Answer<()> {
        rustix::fs::unlinkat(&*self.get(parent)?, name, flags)
    }
}

fn attr(stat: &Stat) -> FileAttr {
    let time = |seconds: i64, nanos: u64| -> SystemTime {
        UNIX_EPOCH + Duration::new(seconds.unsigned_abs(), u32::try_from(nanos).unwrap())
    };
    let folder = stat.st_mode & 0o170_000 == 0o040_000;
    FileAttr {
        ino: INodeNo(stat.st_ino),
        size: stat.st_size.unsigned_abs(),
        blocks: stat.st_blocks.unsigned_abs(),
        atime: time(stat.st_atime, stat.st_atime_nsec),
        mtime: time(stat.st_mtime, stat.st_mtime_nsec),
        ctime: time(stat.st_ctime, stat.st_ctime_nsec),
        crtime: UNIX_EPOCH,
        kind: if folder {
            FileType::Directory
        } else {
            FileType::RegularFile
        },
        perm: u16::try_from(stat.st_mode & 0o7777).unwrap(),
        nlink: u32::try_from(stat.st_nlink).unwrap(),
        uid: stat.st_uid,
        gid: stat.st_gid,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}
