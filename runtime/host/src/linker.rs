//! What a component is linked with: what its kind always has, and of the rest what was asked for and granted.

use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

use crate::LoadError;
use crate::bindings::{channel, egress, gateway, handles, inbound, reveal, service, types, verifier};
use crate::grant::Grant;
use crate::manifest::{Kind, Manifest};
use crate::state::State;

/// The package and version of the contract that this host speaks.
const PACKAGE: &str = "selvedge:connector/";
const VERSION: &str = "@0.1.0";
/// Shapes without power.
const ALWAYS: [&str; 3] = ["types", "handles", "inbound"];

/// Where a component's exports are. One of them is there, by kind.
pub(crate) enum Exports {
    Channel(channel::GuestIndices),
    Verifier(verifier::GuestIndices),
    Gateway(gateway::GuestIndices),
    Service(service::GuestIndices),
}

/// Links a component with what it imports, as far as it was granted.
///
/// # Errors
/// [`LoadError::NotGranted`], [`LoadError::NotAsked`], [`LoadError::UnknownImport`] by import;
/// [`LoadError::WrongContract`] when imports or exports have other shapes than the contract.
pub(crate) fn link(
    engine: &Engine,
    component: &Component,
    manifest: &Manifest,
    grant: &Grant,
) -> Result<(InstancePre<State>, Exports), LoadError> {
    let misfit = |error: wasmtime::Error| LoadError::WrongContract {
        connector: manifest.connector.clone(),
        kind: manifest.kind.name().into(),
        why: format!("{error:#}"),
    };
    let mut linker = Linker::new(engine);
    types::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state).map_err(misfit)?;
    inbound::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state).map_err(misfit)?;
    handles::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state).map_err(misfit)?;
    for import in imports(engine, component) {
        match judge(&import, manifest, grant)? {
            "egress" => egress::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state).map_err(misfit)?,
            "reveal" => reveal::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state).map_err(misfit)?,
            _ => {}
        }
    }
    let pre = linker.instantiate_pre(component).map_err(misfit)?;
    let exports = match manifest.kind {
        Kind::Channel => channel::GuestIndices::new(&pre).map(Exports::Channel),
        Kind::Verifier => verifier::GuestIndices::new(&pre).map(Exports::Verifier),
        Kind::Gateway => gateway::GuestIndices::new(&pre).map(Exports::Gateway),
        Kind::Service => service::GuestIndices::new(&pre).map(Exports::Service),
    };
    Ok((pre, exports.map_err(misfit)?))
}

/// The names of a component's imports.
pub(crate) fn imports(engine: &Engine, component: &Component) -> Vec<String> {
    component.component_type().imports(engine).map(|(name, _)| name.to_owned()).collect()
}

/// The short name of an import that may be linked.
fn judge<'a>(import: &'a str, manifest: &Manifest, grant: &Grant) -> Result<&'a str, LoadError> {
    let connector = manifest.connector.clone();
    let short = import.strip_prefix(PACKAGE).and_then(|rest| rest.strip_suffix(VERSION));
    let Some(short) = short.filter(|name| ALWAYS.contains(name) || crate::grant::IMPORTS.contains(name)) else {
        return Err(LoadError::UnknownImport { connector, import: import.to_owned() });
    };
    if ALWAYS.contains(&short) {
        return Ok(short);
    }
    if !grant.gives.imports.contains(short) {
        let at = grant.imports_at.clone();
        return Err(LoadError::NotGranted { connector, import: short.to_owned(), at, line: format!("  - {short}") });
    }
    if !manifest.asks.imports.contains(short) {
        return Err(LoadError::NotAsked { connector, import: short.to_owned(), at: manifest.imports_at.clone() });
    }
    Ok(short)
}
