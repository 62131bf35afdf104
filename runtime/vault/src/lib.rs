//! **What must not be seen?** The vault keeps it so: values are sealed, keys can be destroyed, card numbers are
//! found and removed, security codes never leave memory.
//!
//! The main path: [`MasterKey::load_or_create`] gives the one key that is kept in a file; [`Vault::new`] takes
//! it. Each [`Scope`] (a customer or interaction, and a class of data) has a data key of its own, which the
//! store keeps wrapped by the master key ([`Vault::new_data_key`], [`Vault::unwrap`]); a [`DataKey`] seals and
//! opens values. Destroying the wrapped key destroys the values: that is how retention deletes.
//!
//! Read the test `a_value_is_sealed_for_its_scope_and_place` in `envelope.rs` first.
//!
//! Absent on purpose: storage (the store keeps what comes out of here; the key file is the only I/O), clocks
//! and randomness (nonces, keys and times are arguments), `Debug` on anything secret.

mod amount;
mod card;
mod derived;
mod envelope;
mod error;
mod keys;
mod number;
mod transient;

pub use card::{Brand, Card, CardFault, find_card_numbers, redact_card_numbers};
pub use derived::link_id;
pub use envelope::{DataKey, Scope, Vault, WrappedKey};
pub use error::VaultError;
pub use keys::{MasterKey, load_or_create_seed};
pub use number::is_phone_number;
pub use transient::Transient;
