//! The files store: one file a session, on a file system that several machines share.
