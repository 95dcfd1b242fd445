//! The real-proxy (nginx, Caddy) and real-browser (Chromium) tests live here; being written.
