//! Tests that spawn the real programs. One program of tests, since each costs seconds to compile and to link.

mod bridge;
mod broadcast;
mod browsers;
mod byzantine;
mod clients;
mod crash;
mod economy;
mod errors;
mod films;
mod fleet;
mod hops;
mod keys;
mod lines;
mod nodes;
mod parts;
mod promises;
mod publishers;
mod ranges;
mod rental;
mod seats;
mod shares;
mod tier;
mod troubles;
mod watching;
