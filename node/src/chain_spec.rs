//! Where a chain spec and its runtime code come from.
//!
//! The specs in `chain-specs/` are for people: name, properties and the whole genesis in a few lines, without the
//! `code` (a megabyte of hex). When such a spec is loaded, the code is read from the runtime's wasm as the build left
//! it beside this program, or from `--runtime-wasm`. So every machine that builds the same wasm starts the same
//! chain. A spec that carries its code, plain or raw, is used as it is.

use sc_chain_spec::{ChainType, Properties};
use serde_json::{json, Value};
use std::{
	fs,
	path::{Path, PathBuf},
};

pub type ChainSpec = sc_service::GenericChainSpec;

/// Where the build leaves the runtime, relative to this program.
const RUNTIME_WASM: &str = "wbuild/clustercast-runtime/clustercast_runtime.compact.compressed.wasm";

/// Loads the chain that `id` names: `dev`, `local`, `bridged`, or the path of a spec file.
///
/// `runtime_wasm` is the runtime of a spec without code; by default the one that was built with this program.
pub fn load(id: &str, runtime_wasm: Option<&Path>) -> Result<ChainSpec, String> {
	match id {
		"dev" => preset(
			"ClusterCast Development",
			"clustercast_dev",
			ChainType::Development,
			"development",
			runtime_wasm,
		),
		"local" => preset(
			"ClusterCast Local",
			"clustercast_local",
			ChainType::Local,
			"local",
			runtime_wasm,
		),
		"bridged" => preset(
			"ClusterCast Bridged",
			"clustercast_bridged",
			ChainType::Local,
			"bridged",
			runtime_wasm,
		),
		"" => Err(
			"which chain? --chain FILE names a spec; `dev`, `local` and `bridged` are presets of the runtime".into(),
		),
		path => from_file(Path::new(path), runtime_wasm),
	}
}

/// The spec of a genesis preset of the runtime. `scripts/chain-specs` writes `chain-specs/` from these.
fn preset(
	name: &str,
	id: &str,
	chain_type: ChainType,
	preset: &str,
	runtime_wasm: Option<&Path>,
) -> Result<ChainSpec, String> {
	let properties = Properties::from_iter([
		("tokenSymbol".into(), json!("USDC")),
		("tokenDecimals".into(), json!(6)),
		("ss58Format".into(), json!(42)),
	]);
	Ok(ChainSpec::builder(&read_runtime(runtime_wasm)?, None)
		.with_name(name)
		.with_id(id)
		.with_chain_type(chain_type)
		.with_properties(properties)
		.with_genesis_config_preset_name(preset)
		.build())
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
		None => built_runtime()?,
	};
	fs::read(&path).map_err(|e| {
		format!(
			"runtime {}: {e}; build it, or name it with --runtime-wasm",
			path.display()
		)
	})
}

fn built_runtime() -> Result<PathBuf, String> {
	let program = std::env::current_exe().map_err(|e| format!("path of this program: {e}"))?;
	Ok(program.with_file_name(RUNTIME_WASM))
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
		let spec = load(file.0.to_str().unwrap(), Some(&wasm.0)).unwrap();
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
			code_of(&load(file.0.to_str().unwrap(), Some(&wasm.0)).unwrap()),
			json!("0x03")
		);
	}

	#[test]
	fn what_is_missing_is_named() {
		let wasm = Path::new("no/such.wasm");
		assert!(load("", None).is_err_and(|e| e.contains("--chain")));
		assert!(load("no/such.json", None).is_err_and(|e| e.contains("no/such.json")));
		assert!(load("local", Some(wasm)).is_err_and(|e| e.contains("no/such.wasm") && e.contains("--runtime-wasm")));
		let file = File::new("broken.json", b"{");
		assert!(load(file.0.to_str().unwrap(), None).is_err_and(|e| e.contains("broken.json")));
	}
}
