//! One publisher's connection, from handshake to tags.
