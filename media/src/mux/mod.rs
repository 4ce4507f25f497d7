//! Encoded pictures and sound as initialisation segment and windows of exactly 60 pictures.
