//! The Redis store: Redis or Valkey, alone, clustered, with sentinels.
