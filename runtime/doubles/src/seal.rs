//! Keyed hashes: ids, fingerprints, signatures, and comparing secrets.

use aws_lc_rs::{constant_time, digest, hmac};

/// `PREFIX_` and 24 hex digits made from `name`: the same name always gets the same id, so that a double
/// needs no randomness.
pub(crate) fn id(prefix: &str, name: &str) -> String {
    let hash = digest::digest(&digest::SHA256, format!("{prefix}\0{name}").as_bytes());
    format!("{prefix}_{}", hex::encode(&hash.as_ref()[..12]))
}

/// HMAC-SHA256 in hex.
pub(crate) fn mac(secret: &str, text: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex::encode(hmac::sign(&key, text))
}

/// Compares two secrets without telling by its time where they differ.
pub(crate) fn same(left: &str, right: &str) -> bool {
    constant_time::verify_slices_are_equal(left.as_bytes(), right.as_bytes()).is_ok()
}
