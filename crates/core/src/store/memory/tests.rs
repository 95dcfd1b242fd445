//! Tests of what the suite cannot see: accounting and eviction.
