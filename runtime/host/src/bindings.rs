//! The contract (`sdk/wit`) from the host's side, generated. One world holds everything that a connector can
//! import or export; which part of it a component really has is decided when it is loaded.
//!
//! The generator names a helper of its own `lookup`, so in the contract the function of that name comes last.

#![allow(missing_docs, clippy::all, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../../sdk/wit/selvedge-connector@0.1.0",
    inline: "
        package selvedge:host;
        world any-connector {
            import selvedge:connector/egress@0.1.0;
            import selvedge:connector/reveal@0.1.0;
            export selvedge:connector/channel@0.1.0;
            export selvedge:connector/verifier@0.1.0;
            export selvedge:connector/gateway@0.1.0;
            export selvedge:connector/service@0.1.0;
        }
    ",
    world: "selvedge:host/any-connector",
    imports: { default: async },
    exports: { default: async },
    with: { "selvedge:connector/handles.field": crate::state::Handle },
});

pub use exports::selvedge::connector::{channel, gateway, service, verifier};
pub use selvedge::connector::{egress, handles, inbound, reveal, types};
