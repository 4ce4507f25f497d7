//! What decoders write: raw pictures and sound with their stamps, in NUT.
