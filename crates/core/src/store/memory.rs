//! The memory store (being written).
