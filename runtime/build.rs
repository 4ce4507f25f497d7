//! Builds the runtime's wasm with the stock wasm-builder.
fn main() {
    #[cfg(feature = "std")]
    substrate_wasm_builder::WasmBuilder::build_using_defaults();
}
