//! The broadcaster's tool: encodes with FFmpeg, cuts windows, signs them, serves relayers.
