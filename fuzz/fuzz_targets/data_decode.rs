//! `cargo +nightly fuzz run data_decode`

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloakroom_fuzz::data(bytes));
