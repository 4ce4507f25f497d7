//! Runs the runtime. Its wasm is compiled first, which takes tens of seconds of a core; what was compiled is kept in a folder, so that this
//! happens once for each runtime, and not at each start.
//!
//! What lies in that folder is run as it is, so it is nobody's but the user's whom the node runs as.

use sc_executor::{HeapAllocStrategy, WasmExecutor, DEFAULT_HEAP_ALLOC_STRATEGY};
use sc_service::config::ExecutorConfiguration;
use std::{
	fs,
	os::unix::fs::{DirBuilderExt, MetadataExt},
	path::{Path, PathBuf},
};

pub type Executor = WasmExecutor<sp_io::SubstrateHostFunctions>;

/// Permissions of who is not the owner to write.
const WRITTEN_BY_OTHERS: u32 = 0o022;

/// Where what was compiled is kept. Made, where it is not there.
#[derive(Clone, Debug)]
pub struct Compiled(PathBuf);

impl Compiled {
	/// This folder, absolute.
	///
	/// # Errors
	/// Where it cannot be made, or somebody else may write there.
	pub fn open(folder: &Path) -> Result<Self, String> {
		let wrong = |what: &dyn std::fmt::Display| {
			format!(
				"{}: {what}; compiled runtimes are kept there, --compiled names another folder",
				folder.display()
			)
		};
		let make = || {
			fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
			Ok((
				folder.canonicalize()?,
				fs::metadata(folder)?,
				fs::metadata("/proc/self")?,
			))
		};
		let (folder, it, own) = make().map_err(|error: std::io::Error| wrong(&error))?;
		match it.uid() == own.uid() && it.mode() & WRITTEN_BY_OTHERS == 0 {
			true => Ok(Self(folder)),
			false => Err(wrong(
				&"others than this user can write there, and what it holds is run",
			)),
		}
	}
}

/// For a node with these settings.
pub fn new(settings: &ExecutorConfiguration, compiled: Option<&Compiled>) -> Executor {
	let strategy = settings
		.default_heap_pages
		.map_or(DEFAULT_HEAP_ALLOC_STRATEGY, |pages| HeapAllocStrategy::Static {
			extra_pages: u32::try_from(pages).unwrap_or(u32::MAX),
		});
	let builder = Executor::builder()
		.with_execution_method(settings.wasm_method)
		.with_onchain_heap_alloc_strategy(strategy)
		.with_offchain_heap_alloc_strategy(strategy)
		.with_max_runtime_instances(settings.max_runtime_instances)
		.with_runtime_cache_size(settings.runtime_cache_size);
	match compiled {
		Some(Compiled(folder)) => builder.with_cache_path(folder),
		None => builder,
	}
	.build()
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::os::unix::fs::PermissionsExt;

	#[test]
	fn folder_is_made_for_its_user_alone() {
		let root = tempfile::tempdir().unwrap();
		let folder = root.path().join("a/b");
		Compiled::open(&folder).unwrap();
		assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
		Compiled::open(&folder).unwrap();
	}

	/// The attack: somebody else puts a program there, and the node runs it.
	#[test]
	fn folder_that_others_write_is_refused() {
		let root = tempfile::tempdir().unwrap();
		for mode in [0o720, 0o702] {
			fs::set_permissions(root.path(), fs::Permissions::from_mode(mode)).unwrap();
			assert!(Compiled::open(root.path()).unwrap_err().contains("others"), "{mode:o}");
		}
		let file = root.path().join("file");
		fs::write(&file, "").unwrap();
		assert!(Compiled::open(&file).unwrap_err().contains("--compiled"));
	}
}
