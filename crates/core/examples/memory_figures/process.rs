//! What Linux says of this process: memory, and time on a processor.

/// Bytes of RAM that the process holds.
pub(crate) fn resident() -> usize {
    status("VmRSS:")
}

/// The most that it ever held.
pub(crate) fn resident_at_most() -> usize {
    status("VmHWM:")
}

fn status(field: &str) -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kib.unwrap_or(0) * 1024_usize
}
