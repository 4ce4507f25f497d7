//! Where a chain spec and its runtime code come from.
//!
//! The specs in `chain-specs/` are for people: name, properties and the whole genesis in a few lines, without the
//! `code` (a megabyte of hex). When such a spec is loaded, the code is read from `--runtime-wasm`, or from the first of
//! `RUNTIME_PLACES` that holds a runtime. So every machine with the same wasm starts the same chain. A spec that carries
//! its code, plain or raw, is used as it is.
//!
//! A node that starts needs the state that a plain spec describes: [`genesis`] makes it.

use crate::{executor::Executor, genesis};
use sc_chain_spec::{ChainType, Properties};
use serde_json::{json, Value};
use std::{
	fs,
	path::{Path, PathBuf},
};

pub type ChainSpec = sc_service::GenericChainSpec;

/// Where the runtime lies when nobody names it, relative to this program's folder.
const RUNTIME_PLACES: [&str; 3] = [
	// As the build leaves it.
	"wbuild/clustercast-runtime/clustercast_runtime.compact.compressed.wasm",
	// Copied along with the program.
	"clustercast_runtime.wasm",
	// As packages install it: /usr/bin and /usr/lib/clustercast, or bin/ and lib/clustercast/ of the tarball.
	"../lib/clustercast/clustercast_runtime.wasm",
];

/// Loads the chain that `id` names: `dev`, `local`, `bridged`, or the path of a spec file.
///
/// `runtime_wasm` is the runtime of a spec without code; by default the one that came with this program. With an executor it has its
/// first state, and no longer what that is made from.
pub fn load(id: &str, runtime_wasm: Option<&Path>, executor: Option<&Executor>) -> Result<ChainSpec, String> {
	let (name, id, chain_type, preset) = match id {
		"dev" => (
			"ClusterCast Development",
			"clustercast_dev",
			ChainType::Development,
			"development",
		),
		"local" => ("ClusterCast Local", "clustercast_local", ChainType::Local, "local"),
		"bridged" => (
			"ClusterCast Bridged",
			"clustercast_bridged",
			ChainType::Local,
			"bridged",
		),
		"" => {
			return Err(
				"which chain? --chain FILE names a spec; `dev`, `local` and `bridged` are presets of the runtime"
					.into(),
			)
		},
		path => {
			let spec = from_file(Path::new(path), runtime_wasm)?;
			return match executor {
				Some(executor) => genesis::made(spec, None, executor),
				None => Ok(spec),
			};
		},
	};
	// `scripts/chain-specs` writes `chain-specs/` from these.
	let properties = Properties::from_iter([
		("tokenSymbol".into(), json!("USDC")),
		("tokenDecimals".into(), json!(6)),
		("ss58Format".into(), json!(42)),
	]);
	let spec = ChainSpec::builder(&read_runtime(runtime_wasm)?, None)
		.with_name(name)
		.with_id(id)
		.with_chain_type(chain_type)
		.with_properties(properties);
	match executor {
		Some(executor) => {
			let spec = spec.with_genesis_config_patch(json!({})).build();
			genesis::made(spec, Some(preset), executor)
		},
		None => Ok(spec.with_genesis_config_preset_name(preset).build()),
	}
}

fn from_file(path: &Path, runtime_wasm: Option<&Path>) -> Result<ChainSpec, String> {
	let text = fs::read(path).map_err(|e| format!("chain spec {}: {e}", path.display()))?;
	let mut spec: Value = serde_json::from_slice(&text).map_err(|e| format!("chain spec {}: {e}", path.display()))?;
	match spec
		.pointer_mut("/genesis/runtimeGenesis")
		.and_then(Value::as_object_mut)
	{
		Some(genesis) if !genesis.contains_key("code") => {
			let code = sp_core::bytes::to_hex(&read_runtime(runtime_wasm)?, false);
			genesis.insert("code".into(), code.into());
			ChainSpec::from_json_bytes(spec.to_string().into_bytes())
		},
		_ => ChainSpec::from_json_bytes(text),
	}
}

fn read_runtime(path: Option<&Path>) -> Result<Vec<u8>, String> {
	let path = match path {
		Some(path) => path.to_owned(),
		None => {
			// Links are followed: what counts is where the program itself lies.
			let program = std::env::current_exe().map_err(|e| format!("path of this program: {e}"))?;
			runtime_near(program.parent().unwrap_or(Path::new("/")))?
		},
	};
	fs::read(&path).map_err(|e| format!("runtime {}: {e}; name another with --runtime-wasm", path.display()))
}

/// The runtime that belongs to a program in this folder.
fn runtime_near(folder: &Path) -> Result<PathBuf, String> {
	let places = RUNTIME_PLACES.map(|place| folder.join(place));
	match places.iter().find(|place| place.is_file()) {
		Some(place) => Ok(place.clone()),
		None => Err(format!(
			"no runtime at {}: build it, install it there, or name it with --runtime-wasm",
			places.map(|place| place.display().to_string()).join(", ")
		)),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// A file that is gone when the test ends.
	struct File(PathBuf);

	impl File {
		fn new(name: &str, content: &[u8]) -> Self {
			let path = std::env::temp_dir().join(format!("clustercast-{}-{name}", std::process::id()));
			fs::write(&path, content).unwrap();
			Self(path)
		}
	}

	impl Drop for File {
		fn drop(&mut self) {
			fs::remove_file(&self.0).unwrap();
		}
	}

	fn spec(genesis: Value) -> Vec<u8> {
		json!({ "name": "Test", "id": "test", "chainType": "Local", "bootNodes": [], "genesis": genesis })
			.to_string()
			.into_bytes()
	}

	fn code_of(spec: &ChainSpec) -> Value {
		let spec: Value = serde_json::from_str(&spec.as_json(false).unwrap()).unwrap();
		spec["genesis"]["runtimeGenesis"]["code"].clone()
	}

	#[test]
	fn spec_without_code_gets_the_runtime() {
		let wasm = File::new("runtime.wasm", b"\x01\x02");
		let file = File::new("bare.json", &spec(json!({ "runtimeGenesis": { "patch": { "a": 1 } } })));
		let spec = load(file.0.to_str().unwrap(), Some(&wasm.0), None).unwrap();
		assert_eq!((spec.id(), code_of(&spec)), ("test", json!("0x0102")));
	}

	#[test]
	fn spec_with_code_keeps_it() {
		let wasm = File::new("other.wasm", b"\x01\x02");
		let file = File::new(
			"whole.json",
			&spec(json!({ "runtimeGenesis": { "code": "0x03", "patch": {} } })),
		);
		assert_eq!(
			code_of(&load(file.0.to_str().unwrap(), Some(&wasm.0), None).unwrap()),
			json!("0x03")
		);
	}

	#[test]
	fn what_is_missing_is_named() {
		let wasm = Path::new("no/such.wasm");
		assert!(load("", None, None).is_err_and(|e| e.contains("--chain")));
		assert!(load("no/such.json", None, None).is_err_and(|e| e.contains("no/such.json")));
		assert!(
			load("local", Some(wasm), None).is_err_and(|e| e.contains("no/such.wasm") && e.contains("--runtime-wasm"))
		);
		let file = File::new("broken.json", b"{");
		assert!(load(file.0.to_str().unwrap(), None, None).is_err_and(|e| e.contains("broken.json")));
	}

	/// A program's folder, and the runtime in one of its places.
	fn installed(place: &str) -> (tempfile::TempDir, PathBuf, PathBuf) {
		let root = tempfile::tempdir().unwrap();
		let folder = root.path().join("bin");
		let wasm = folder.join(place);
		fs::create_dir(&folder).unwrap();
		fs::create_dir_all(wasm.parent().unwrap()).unwrap();
		fs::write(&wasm, b"\x04").unwrap();
		(root, folder, wasm)
	}

	#[test]
	fn runtime_is_found_in_each_of_its_places() {
		for place in RUNTIME_PLACES {
			let (_root, folder, wasm) = installed(place);
			assert_eq!(runtime_near(&folder), Ok(wasm));
		}
	}

	#[test]
	fn runtime_of_the_build_goes_before_a_copy_and_a_copy_before_an_installed_one() {
		let (_root, folder, installed) = installed(RUNTIME_PLACES[2]);
		for place in [RUNTIME_PLACES[1], RUNTIME_PLACES[0]] {
			let nearer = folder.join(place);
			fs::create_dir_all(nearer.parent().unwrap()).unwrap();
			fs::copy(&installed, &nearer).unwrap();
			assert_eq!(runtime_near(&folder), Ok(nearer));
		}
	}

	#[test]
	fn every_place_without_a_runtime_is_named() {
		let (_root, folder, _) = installed("elsewhere/clustercast_runtime.wasm");
		// A folder of that name is no runtime.
		fs::create_dir(folder.join("clustercast_runtime.wasm")).unwrap();
		let error = runtime_near(&folder).unwrap_err();
		for word in RUNTIME_PLACES
			.iter()
			.chain(&["--runtime-wasm", folder.to_str().unwrap()])
		{
			assert!(error.contains(word), "{error} lacks {word}");
		}
	}
}
