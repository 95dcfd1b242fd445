//! `cargo +nightly fuzz run files_decode`

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    cloakroom_fuzz::files_marker(bytes);
    cloakroom_fuzz::files_content(bytes);
});
