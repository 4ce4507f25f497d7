//! 30 pictures and 48,000 samples a second on our clock, whatever comes.
