//! Real servers for tests: started from Debian's packages on free ports, in a temporary folder, killed at the end.
//!
//! Test code: where it cannot do its work it panics.
