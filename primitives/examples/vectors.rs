//! Writes `primitives/vectors/*.json`, which tests in every language read: `cargo run -p clustercast-primitives
//! --example vectors`.

#[path = "vectors/cases.rs"]
mod cases;

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
	let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
	fs::create_dir_all(&folder)?;
	for (name, vectors) in cases::files() {
		let path = folder.join(name);
		fs::write(&path, format!("{vectors:#}\n"))?;
		println!("{}", path.display());
	}
	Ok(())
}
