//! Makes a chain's first state from what its spec says for people: the runtime does, called by our own executor. The SDK would call it by
//! one that keeps nothing of what it compiled.

use crate::{chain_spec::ChainSpec, executor::Executor};
use sc_chain_spec::json_merge;
use serde_json::{json, Map, Value};
use sp_core::{
	bytes::{from_hex, to_hex},
	storage::{well_known_keys::CODE, Storage},
	traits::{CallContext, CodeExecutor, RuntimeCode, WrappedRuntimeCode},
	Encode as _,
};
use sp_runtime::traits::{BlakeTwo256, Hash as _};
use sp_state_machine::BasicExternalities;

/// The same chain, with its first state in place of what the state is made from: over the runtime's preset of this name, where one is
/// named. One that has its state stays as it is.
pub fn made(spec: ChainSpec, preset: Option<&str>, executor: &Executor) -> Result<ChainSpec, String> {
	let mut whole: Value = serde_json::from_str(&spec.as_json(false)?).map_err(|e| e.to_string())?;
	let genesis = &mut whole["genesis"];
	let Some(from) = genesis.get("runtimeGenesis").and_then(Value::as_object) else {
		return Ok(spec);
	};
	let state = state(from, preset, executor).map_err(|error| format!("the first state of {}: {error}", spec.id()))?;
	*genesis = json!({ "raw": raw(&state) });
	ChainSpec::from_json_bytes(whole.to_string().into_bytes())
}

/// The state that the runtime makes of its defaults with a `patch`, or of a whole `config`.
fn state(from: &Map<String, Value>, preset: Option<&str>, executor: &Executor) -> Result<Storage, String> {
	let code = from.get("code").and_then(Value::as_str).ok_or("no code")?;
	let code = from_hex(code).map_err(|error| error.to_string())?;
	let call = |method: &str, argument: &[u8]| {
		let mut externalities = BasicExternalities::new_empty();
		let runtime = RuntimeCode {
			code_fetcher: &WrappedRuntimeCode(code.as_slice().into()),
			hash: BlakeTwo256::hash(&code).as_bytes().to_vec(),
			heap_pages: None,
		};
		let (answer, _) = executor.call(&mut externalities, &runtime, method, argument, CallContext::Offchain);
		let answer = answer.map_err(|error| format!("{method}: {error}"))?;
		Ok::<_, String>((answer, externalities.into_storages()))
	};
	let named = |preset: Option<&str>| {
		let (config, _) = call("GenesisBuilder_get_preset", &preset.encode())?;
		let config: Option<Vec<u8>> = decode(&config)?;
		let config = config.ok_or_else(|| format!("the runtime has no preset {preset:?}"))?;
		serde_json::from_slice::<Value>(&config).map_err(|error| error.to_string())
	};
	let config = match (from.get("config"), from.get("patch")) {
		(Some(config), _) => config.clone(),
		(None, patch) => {
			let mut config = named(None)?;
			if preset.is_some() {
				json_merge(&mut config, named(preset)?);
			}
			json_merge(&mut config, patch.cloned().unwrap_or_else(|| json!({})));
			config
		},
	};
	let (result, mut state) = call("GenesisBuilder_build_state", &config.to_string().encode())?;
	decode::<sp_genesis_builder::Result>(&result)??;
	state.top.insert(CODE.to_vec(), code);
	Ok(state)
}

fn decode<T: codec::Decode>(mut bytes: &[u8]) -> Result<T, String> {
	T::decode(&mut bytes).map_err(|error| error.to_string())
}

fn raw(state: &Storage) -> Value {
	let hex = |bytes: &[u8]| to_hex(bytes, false);
	let pairs = |pairs: &std::collections::BTreeMap<Vec<u8>, Vec<u8>>| {
		let pairs = pairs.iter().map(|(key, value)| (hex(key), Value::from(hex(value))));
		Value::Object(pairs.collect())
	};
	let children = state.children_default.iter();
	let children: Map<String, Value> = children.map(|(key, child)| (hex(key), pairs(&child.data))).collect();
	json!({ "top": pairs(&state.top), "childrenDefault": children })
}
