//! Builds the runtime's wasm, which chain specs carry.

fn main() {
	// Clippy wraps the compiler, and cargo in this script would take that on: the wasm is the same whoever asks for it.
	#[cfg(feature = "std")]
	std::env::remove_var("RUSTC_WORKSPACE_WRAPPER");
	#[cfg(feature = "std")]
	substrate_wasm_builder::WasmBuilder::build_using_defaults();
}
