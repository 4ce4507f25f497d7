//! `docs/economics.md` says what this runtime charges, and the defaults reach their aim.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/economics/fees.rs"]
mod fees;
#[path = "../examples/economics/tables.rs"]
mod tables;

use fees::Fees;
use std::{env, fs, path::PathBuf};
use tables::{default, Bill, Way, TWO_HOURS, USUAL_PRICE};

/// Of what a viewer pays for.
const AIM: f64 = 0.03;

fn page() -> String {
	// Where cargo says it is now, which is not where it was built when clones share a build.
	let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap());
	fs::read_to_string(folder.join("../docs/economics.md")).unwrap()
}

#[test]
fn tables_of_the_page_are_those_of_this_runtime() {
	let page = page();
	let filled = tables::fill(&page, &tables::all(&Fees::now())).unwrap();
	let other: Vec<_> = page
		.lines()
		.zip(filled.lines())
		.filter(|(is, should)| is != should)
		.collect();
	assert!(
		page == filled,
		"run scripts/economics; what stands there and what should: {other:#?}"
	);
}

#[test]
fn fees_are_below_3_percent_of_two_hours_at_the_usual_price() {
	let fees = Fees::now();
	for way in [Way::Tickets, Way::Auto] {
		let share = Bill::new(&fees, way, USUAL_PRICE, TWO_HOURS, default::FACE_VALUE)
			.unwrap()
			.share();
		assert!(share < AIM, "{way:?}: {share}");
	}
}

#[test]
fn a_page_without_a_place_for_a_table_is_not_filled() {
	let table = [("calls", "| a |\n".to_owned())];
	let fill = |page: &str| tables::fill(page, &table);
	let page = |table: &str| format!("before\n<!-- table: calls -->\n{table}\n\nafter\n");
	assert_eq!(fill(&page("| old |\n| rows |")).unwrap(), page("| a |"));
	for lacks in ["", "<!-- table: cals -->\n\n", &page("").repeat(2)] {
		assert_eq!(fill(lacks).unwrap_err(), "calls");
	}
}
