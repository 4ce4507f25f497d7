//! Counts what paying costs, by the chain's own weights and fees, and prints the tables of `docs/economics.md` as
//! markdown; given that page, puts them into it. `scripts/economics` runs it.

mod fees;
mod tables;

use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
	let tables = tables::all(&fees::Fees::now());
	let Some(path) = env::args_os().nth(1) else {
		tables.iter().for_each(|(name, table)| println!("{name}\n\n{table}"));
		return Ok(());
	};
	let page = fs::read_to_string(&path)?;
	let filled = tables::fill(&page, &tables).map_err(|name| format!("no single place for the table {name}"))?;
	fs::write(path, filled)?;
	Ok(())
}
