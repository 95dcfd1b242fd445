//! `cargo +nightly fuzz run token_parse`

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| cloakroom_fuzz::token(text));
