//! The files store: the contract, faults of a shared file system, crashes at every step, processes that share a folder.

mod conformance;
