//! Stands in for the crate `wasm-opt`, which compiles all of Binaryen (over six minutes of C++) for what
//! `substrate-wasm-builder` asks of it at optimisation level 0: drop the debug sections, and lower sign extension to the MVP.
//!
//! The runtime is built for `wasm32v1-none`, core and alloc included, which has no instruction beyond the MVP. So there is
//! nothing to lower; an instruction that would have to be is an error here, as `parity-wasm` knows the MVP alone.
//!
//! The types below are those that the builder names, no more; `Cargo.toml` of the workspace patches this crate in.

use parity_wasm::{
	elements::{Module, Section},
	SerializationError,
};
use std::{fmt, path::Path};

/// How a module is rewritten. There is one way, so options have no effect beyond the promise above.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct OptimizationOptions {}

/// The passes that the builder asks for.
#[derive(Clone, Copy, Debug)]
pub enum Pass {
	/// Sign extension instructions become shifts. Here: a module that has one is refused.
	SignextLowering,
	/// Custom sections with DWARF go. Here: always.
	StripDwarf,
}

/// Why a module was not rewritten.
#[derive(Debug)]
pub struct Error(SerializationError);

impl fmt::Display for Error {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "the runtime is not a wasm module of the MVP: {}", self.0)
	}
}

impl std::error::Error for Error {}

impl OptimizationOptions {
	/// No optimisation: rustc and LLVM did that.
	pub fn new_opt_level_0() -> Self {
		Self::default()
	}

	/// Always so.
	pub fn mvp_features_only(&mut self) -> &mut Self {
		self
	}

	/// Whether names of functions stay, for traces of a panic. They always do.
	pub fn debug_info(&mut self, _: bool) -> &mut Self {
		self
	}

	/// See [`Pass`].
	pub fn add_pass(&mut self, _: Pass) -> &mut Self {
		self
	}

	/// Reads the module at `infile`, and writes it without debug sections to `outfile`, which may be the same.
	pub fn run(&self, infile: impl AsRef<Path>, outfile: impl AsRef<Path>) -> Result<(), Error> {
		let mut module = parity_wasm::deserialize_file(infile).map_err(Error)?;
		strip_dwarf(&mut module);
		parity_wasm::serialize_to_file(outfile, module).map_err(Error)
	}
}

fn strip_dwarf(module: &mut Module) {
	module.sections_mut().retain(|section| match section {
		Section::Custom(custom) => !custom.name().starts_with(".debug_"),
		_ => true,
	});
}

#[cfg(test)]
mod tests {
	use super::*;

	/// A module of one function `(i32) -> i32` with the given body, and two custom sections.
	fn module(body: &[u8]) -> Vec<u8> {
		let mut bytes = b"\0asm\x01\0\0\0".to_vec();
		let mut section = |id: u8, content: &[u8]| bytes.extend([&[id, content.len() as u8], content].concat());
		section(1, &[1, 0x60, 1, 0x7f, 1, 0x7f]);
		section(3, &[1, 0]);
		section(10, &[&[1, body.len() as u8 + 2, 0], body, &[0x0b]].concat());
		section(0, b"\x0b.debug_line\x01\x02");
		section(0, b"\x0fruntime_version\x03");
		bytes
	}

	fn run(bytes: &[u8]) -> Result<Module, Error> {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("module.wasm");
		std::fs::write(&path, bytes).unwrap();
		OptimizationOptions::new_opt_level_0().run(&path, &path)?;
		Ok(parity_wasm::deserialize_file(&path).unwrap())
	}

	#[test]
	fn debug_sections_go_and_the_others_stay() {
		let module = run(&module(&[0x20, 0])).unwrap();
		let customs: Vec<_> = module.custom_sections().map(|section| section.name()).collect();
		assert_eq!(customs, ["runtime_version"]);
		assert_eq!(module.code_section().map(|code| code.bodies().len()), Some(1));
	}

	#[test]
	fn sign_extension_is_refused() {
		let i32_extend8_s = 0xc0;
		let refused = run(&module(&[0x20, 0, i32_extend8_s])).unwrap_err();
		assert!(
			matches!(refused.0, SerializationError::UnknownOpcode(0xc0)),
			"{refused}"
		);
	}
}
