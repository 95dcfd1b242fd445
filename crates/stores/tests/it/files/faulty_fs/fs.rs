//! The client: passes on to the folder underneath, with faults in between.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno as Code, FileAttr, FileHandle, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::client::FaultyFs;
use super::faults::Fate;
use super::nodes::{Answer, Nodes};

fn code(error: Errno) -> Code {
    Code::from_i32(error.raw_os_error())
}

fn empty(answer: Answer<()>, reply: ReplyEmpty) {
    match answer {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(code(error)),
    }
}

fn entry(answer: Answer<FileAttr>, ttl: Duration, reply: ReplyEntry) {
    match answer {
        Ok(attr) => reply.entry(&ttl, &attr, Generation(0)),
        Err(error) => reply.error(code(error)),
    }
}

impl Filesystem for FaultyFs {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.look(|nodes| nodes.look_up(parent, name));
        // That a name is not there is believed for a while as well.
        if found == Err(Errno::NOENT)
            && !self.stale.is_zero()
            && let Ok(mut attr) = self.nodes.attr(parent)
        {
            attr.ino = INodeNo(0);
            return reply.entry(&self.stale, &attr, Generation(0));
        }
        entry(found, self.stale, reply);
    }

    fn forget(&self, _: &Request, node: INodeNo, count: u64) {
        self.nodes.forget(node, count);
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.look(|nodes| nodes.attr(node)) {
            Ok(attr) => reply.attr(&self.stale, &attr),
            Err(error) => reply.error(code(error)),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        node: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let cut = |nodes: &Nodes| match size {
            Some(size) => rustix::fs::ftruncate(nodes.open(node, OFlags::WRONLY)?, size),
            None => Ok(()),
        };
        let attr = cut(&self.nodes).and_then(|()| self.nodes.attr(node));
        match attr {
            Ok(attr) => reply.attr(&self.stale, &attr),
            Err(error) => reply.error(code(error)),
        }
    }

    fn mkdir(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        let own = name.to_owned();
        let made = self.change(&[parent], self.faults.of_change(true), move |nodes| {
            rustix::fs::mkdirat(&*nodes.get(parent)?, &*own, Mode::from_raw_mode(mode))
        });
        let made = made.and_then(|()| self.nodes.look_up(parent, name));
        entry(made, self.stale, reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let name = name.to_owned();
        let act = move |nodes: &Nodes| nodes.unlink(parent, &name, AtFlags::empty());
        empty(
            self.change(&[parent], self.faults.of_change(false), act),
            reply,
        );
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let name = name.to_owned();
        let act = move |nodes: &Nodes| nodes.unlink(parent, &name, AtFlags::REMOVEDIR);
        empty(
            self.change(&[parent], self.faults.of_change(false), act),
            reply,
        );
    }

    fn rename(
        &self,
        _: &Request,
        from: INodeNo,
        name: &OsStr,
        to: INodeNo,
        new_name: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let (name, new_name) = (name.to_owned(), new_name.to_owned());
        let act = move |nodes: &Nodes| {
            rustix::fs::renameat(&*nodes.get(from)?, &*name, &*nodes.get(to)?, &*new_name)
        };
        empty(self.change(&[from, to], self.faults.of_move(), act), reply);
    }

    fn link(&self, _: &Request, node: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        use std::os::fd::AsRawFd as _;
        let own = name.to_owned();
        let made = self.change(&[parent], self.faults.of_change(false), move |nodes| {
            let path = format!("/proc/self/fd/{}", nodes.get(node)?.as_raw_fd());
            let (from, to) = (rustix::fs::CWD, nodes.get(parent)?);
            rustix::fs::linkat(from, path, &*to, &*own, AtFlags::SYMLINK_FOLLOW)
        });
        let made = made.and_then(|()| self.nodes.look_up(parent, name));
        entry(made, self.stale, reply);
    }

    fn open(&self, _: &Request, node: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let flags =
            OFlags::from_bits_retain(flags.0.unsigned_abs()) & (OFlags::WRONLY | OFlags::RDWR);
        match self.look(|nodes| nodes.open(node, flags)) {
            Ok(fd) => reply.opened(self.keep(fd), FopenFlags::empty()),
            Err(error) => reply.error(code(error)),
        }
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let own = name.to_owned();
        let made = self.change(&[parent], self.faults.of_change(true), move |nodes| {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            rustix::fs::openat(
                &*nodes.get(parent)?,
                &*own,
                flags,
                Mode::from_raw_mode(mode),
            )
        });
        match made.and_then(|fd| Ok((fd, self.nodes.look_up(parent, name)?))) {
            Ok((fd, attr)) => {
                let (handle, none) = (self.keep(fd), FopenFlags::empty());
                reply.created(&self.stale, &attr, Generation(0), handle, none);
            }
            Err(error) => reply.error(code(error)),
        }
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut bytes = vec![0; size as usize];
        let read = self.look(|_| rustix::io::pread(&*self.handle(handle)?, &mut bytes, offset));
        match read {
            Ok(read) => reply.data(&bytes[..read]),
            Err(error) => reply.error(code(error)),
        }
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = match self.faults.of_write(data.len()) {
            Ok(len) => self
                .handle(handle)
                .and_then(|fd| rustix::io::pwrite(&*fd, &data[..len], offset)),
            Err(error) => Err(Errno::from_raw_os_error(error)),
        };
        match written {
            Ok(written) => reply.written(u32::try_from(written).unwrap()),
            Err(error) => reply.error(code(error)),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.handles.lock().remove(&handle.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        match self.faults.of_sync() {
            Fate::Fails(error) => reply.error(Code::from_i32(error)),
            _ => reply.ok(),
        }
    }

    fn fsyncdir(
        &self,
        request: &Request,
        node: INodeNo,
        handle: FileHandle,
        data: bool,
        reply: ReplyEmpty,
    ) {
        self.fsync(request, node, handle, data, reply);
    }

    fn opendir(&self, _: &Request, node: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.names(node) {
            Ok(names) => {
                let handle = self.next.fetch_add(1, Ordering::Relaxed);
                self.open_listings.lock().insert(handle, names);
                reply.opened(FileHandle(handle), FopenFlags::empty());
            }
            Err(error) => reply.error(code(error)),
        }
    }

    fn readdir(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let names = self.open_listings.lock().get(&handle.0).cloned();
        for (at, (node, kind, name)) in names.iter().flat_map(|names| names.iter()).enumerate() {
            let at = at as u64;
            if at >= offset && reply.add(INodeNo(*node), at + 1, *kind, OsStr::from_bytes(name)) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.open_listings.lock().remove(&handle.0);
        reply.ok();
    }
}
