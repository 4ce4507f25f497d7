//! The native viewer: verifies every chunk, pays with a session key, writes a file and serves HLS.
