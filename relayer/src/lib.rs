//! The relayer daemon: verifies, caches, forwards, is paid, redeems.
