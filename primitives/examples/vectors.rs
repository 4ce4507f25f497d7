//! Writes `primitives/vectors/*.json`, which tests in every language read. ARCHITECTURE.md says how it is
//! run.

#[path = "vectors/cases.rs"]
mod cases;

use std::{env, fs, io, path::PathBuf};

fn main() -> io::Result<()> {
	let package = env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| io::Error::other("run me by `cargo run`"))?;
	let folder = PathBuf::from(package).join("vectors");
	fs::create_dir_all(&folder)?;
	for (name, vectors) in cases::files() {
		let path = folder.join(name);
		fs::write(&path, format!("{vectors:#}\n"))?;
		println!("{}", path.display());
	}
	Ok(())
}
