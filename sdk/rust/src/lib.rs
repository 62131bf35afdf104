//! Write a Selvedge connector in Rust: implement one trait, export it with one line.
//!
//! A connector speaks to one vendor. It never sees a customer's data, a URL or a key: it says *which* value
//! goes into *which* slot of a request to a connection that an admin named, and the host does the rest.
//! What it imports is all that it can do.
//!
//! ```ignore
//! use selvedge_sdk::{Call, Failure, Request, channel::{Channel, Message, Receipt}};
//!
//! struct Texts;
//! impl Channel for Texts { /* send, lookup, receive */ }
//! selvedge_sdk::export_channel!(Texts);
//! ```
//!
//! Read `plugins/brightline-sms/src/lib.rs` first: it is a whole connector.
//!
//! Absent on purpose: a clock, files, the environment, logging and randomness. A connector is a function
//! of its call and of what the vendor says.

mod request;

/// Takes what a connector needs from the memory that it begins with, and grows only beyond that; the standard library's own
/// allocator grows at once, and to grow a fresh instance costs the host more than to make it.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

pub use miniserde;
pub use request::{Request, Response, encode, read};

/// Bindings that all kinds of connectors share.
#[doc(hidden)]
#[allow(missing_docs, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit/selvedge-connector@0.1.0",
        inline: "
            package selvedge:sdk;
            world everything {
                import selvedge:connector/types@0.1.0;
                import selvedge:connector/handles@0.1.0;
                import selvedge:connector/egress@0.1.0;
                import selvedge:connector/reveal@0.1.0;
                import selvedge:connector/inbound@0.1.0;
            }
        ",
        world: "selvedge:sdk/everything",
        generate_all,
    });
}

pub use bindings::selvedge::connector::egress::{SendError, Value};
pub use bindings::selvedge::connector::handles::Field;
pub use bindings::selvedge::connector::inbound::{News, Report, Status, Webhook};
pub use bindings::selvedge::connector::types::{Call, Failure};

/// Reads a value, where an admin granted the import `reveal`. Each use is recorded with its reason, and a
/// component that contains this call does not load without the grant. Most connectors never need it.
///
/// # Errors
/// The host's reason when this field was not granted.
pub fn reveal(field: &Field, why: &str) -> Result<String, String> {
    bindings::selvedge::connector::reveal::reveal(field, why)
}

/// A connector that carries messages.
pub mod channel {
    #[doc(hidden)]
    #[allow(missing_docs, clippy::all)]
    pub mod bindings {
        wit_bindgen::generate!({
            path: "../wit/selvedge-connector@0.1.0",
            world: "channel-connector",
            pub_export_macro: true,
            export_macro_name: "export",
            with: {
                "selvedge:connector/types@0.1.0": crate::bindings::selvedge::connector::types,
                "selvedge:connector/handles@0.1.0": crate::bindings::selvedge::connector::handles,
                "selvedge:connector/egress@0.1.0": crate::bindings::selvedge::connector::egress,
                "selvedge:connector/inbound@0.1.0": crate::bindings::selvedge::connector::inbound,
            },
        });
    }
    pub use bindings::exports::selvedge::connector::channel::{Guest as Channel, Message, Receipt};
}

/// A connector that answers a question about a customer with a signal.
pub mod verifier {
    #[doc(hidden)]
    #[allow(missing_docs, clippy::all)]
    pub mod bindings {
        wit_bindgen::generate!({
            path: "../wit/selvedge-connector@0.1.0",
            world: "verifier-connector",
            pub_export_macro: true,
            export_macro_name: "export",
            with: {
                "selvedge:connector/types@0.1.0": crate::bindings::selvedge::connector::types,
                "selvedge:connector/handles@0.1.0": crate::bindings::selvedge::connector::handles,
                "selvedge:connector/egress@0.1.0": crate::bindings::selvedge::connector::egress,
            },
        });
    }
    pub use bindings::exports::selvedge::connector::verifier::{Finding, Guest as Verifier, Signal};
}

/// A connector that moves money.
pub mod gateway {
    #[doc(hidden)]
    #[allow(missing_docs, clippy::all)]
    pub mod bindings {
        wit_bindgen::generate!({
            path: "../wit/selvedge-connector@0.1.0",
            world: "gateway-connector",
            pub_export_macro: true,
            export_macro_name: "export",
            with: {
                "selvedge:connector/types@0.1.0": crate::bindings::selvedge::connector::types,
                "selvedge:connector/handles@0.1.0": crate::bindings::selvedge::connector::handles,
                "selvedge:connector/egress@0.1.0": crate::bindings::selvedge::connector::egress,
                "selvedge:connector/inbound@0.1.0": crate::bindings::selvedge::connector::inbound,
            },
        });
    }
    pub use bindings::exports::selvedge::connector::gateway::{Card, Guest as Gateway, Outcome, Payment, Validity};
}

/// A connector that offers functions of its own.
pub mod service {
    #[doc(hidden)]
    #[allow(missing_docs, clippy::all)]
    pub mod bindings {
        wit_bindgen::generate!({
            path: "../wit/selvedge-connector@0.1.0",
            world: "service-connector",
            pub_export_macro: true,
            export_macro_name: "export",
            with: {
                "selvedge:connector/types@0.1.0": crate::bindings::selvedge::connector::types,
                "selvedge:connector/handles@0.1.0": crate::bindings::selvedge::connector::handles,
                "selvedge:connector/egress@0.1.0": crate::bindings::selvedge::connector::egress,
            },
        });
    }
    pub use bindings::exports::selvedge::connector::service::{Argument, Guest as Service};
}

/// Makes a type that implements [`channel::Channel`] the connector of this crate.
#[macro_export]
macro_rules! export_channel {
    ($connector:ident) => {
        $crate::channel::bindings::export!($connector with_types_in $crate::channel::bindings);
    };
}

/// Makes a type that implements [`verifier::Verifier`] the connector of this crate.
#[macro_export]
macro_rules! export_verifier {
    ($connector:ident) => {
        $crate::verifier::bindings::export!($connector with_types_in $crate::verifier::bindings);
    };
}

/// Makes a type that implements [`gateway::Gateway`] the connector of this crate.
#[macro_export]
macro_rules! export_gateway {
    ($connector:ident) => {
        $crate::gateway::bindings::export!($connector with_types_in $crate::gateway::bindings);
    };
}

/// Makes a type that implements [`service::Service`] the connector of this crate.
#[macro_export]
macro_rules! export_service {
    ($connector:ident) => {
        $crate::service::bindings::export!($connector with_types_in $crate::service::bindings);
    };
}
