//! The bridge's bytes in TypeScript are those of the vectors. Needs `scripts/setup test`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{env, path::PathBuf, process::Command};

#[test]
fn formats_are_those_of_the_vectors() {
	// Where cargo says it is now, which is not where it was built when clones share a build.
	let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../e2e/js");
	let tsx = folder.join("node_modules/.bin/tsx");
	assert!(tsx.exists(), "no npm packages: run `scripts/setup test`");
	let output = Command::new(tsx)
		.args(["--test", "formats.test.ts"])
		.current_dir(&folder)
		.output()
		.unwrap();
	let said = String::from_utf8_lossy(&output.stdout);
	assert!(
		output.status.success(),
		"{said}{}",
		String::from_utf8_lossy(&output.stderr)
	);
	// An empty run would succeed too.
	assert!(said.contains("pass 7"), "{said}");
}
