//! `cargo +nightly fuzz run record_decode`

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloakroom_fuzz::record(bytes));
