//! A publisher's stamps on one axis that only grows.
