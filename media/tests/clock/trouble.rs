//! Random trouble, from a seed.
