//! The play of `promise/` against a model of the chain's rules. `CLUSTERCAST_SEQUENCES` says how many (300); the number of a
//! failed one is its seed. The broker's own tests play it against the broker, beside this model.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "promise/model.rs"]
mod model;
#[path = "promise/play.rs"]
mod play;

use model::Model;
use play::{sequences, Report};

#[test]
fn honest_relayer_loses_no_more_than_its_float_in_any_hour() {
	let report = Report::of(sequences(300), Model::default);
	println!("{report}");
	report.reaches_what_it_is_for();
}
