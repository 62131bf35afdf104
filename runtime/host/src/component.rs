//! From a core module to a component, and the name that its bytes give it.

use wit_component::ComponentEncoder;

/// The largest component that is loaded.
pub const MAX_COMPONENT: usize = 64 << 20;

/// Makes a component of what `cargo build --target wasm32-unknown-unknown` made of a connector. It imports
/// nothing but what the code calls.
///
/// # Errors
/// The module is not one that the SDK's `export_…!` macros made; the text says what is missing.
pub fn build_component(core_wasm: &[u8]) -> Result<Vec<u8>, String> {
    let encode = || ComponentEncoder::default().validate(true).module(core_wasm)?.encode();
    encode().map_err(|error| format!("{error:#}"))
}

/// `sha256:<hex>` of a component: what a run pins and a grant means.
#[must_use]
pub fn digest(component: &[u8]) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, component);
    format!("sha256:{}", hex::encode(hash))
}
