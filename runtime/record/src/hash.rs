//! SHA-256 values: event hashes, tree nodes, roots.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::RecordError;

/// A SHA-256 value, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What the first event names as the hash before it.
    pub const ZERO: Hash = Hash([0; 32]);

    /// SHA-256 over the parts, one after the other.
    pub(crate) fn of(parts: &[&[u8]]) -> Hash {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(part);
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Hash(bytes)
    }

    /// The RFC 6962 leaf hash of an event's canonical text: SHA-256(0x00 || text). It is the event's hash in
    /// the chain too.
    pub fn leaf(canonical: &str) -> Hash {
        Hash::of(&[&[0x00], canonical.as_bytes()])
    }

    /// The RFC 6962 hash of an inner node: SHA-256(0x01 || left || right).
    pub(crate) fn node(left: Hash, right: Hash) -> Hash {
        Hash::of(&[&[0x01], &left.0, &right.0])
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = RecordError;

    /// Reads 64 lower-case hex digits; one hash has one spelling.
    fn from_str(text: &str) -> Result<Hash, RecordError> {
        let mut bytes = [0; 32];
        let lower = !text.bytes().any(|b| b.is_ascii_uppercase());
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if lower => Ok(Hash(bytes)),
            _ => Err(RecordError::Hash),
        }
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hash_has_one_spelling() {
        let hash = Hash::leaf("{}");
        assert_eq!(hash.to_string().parse::<Hash>().unwrap(), hash);
        let upper = hash.to_string().to_uppercase();
        let short = &hash.to_string()[..62];
        for wrong in [upper.as_str(), short, "", "zz"] {
            assert!(wrong.parse::<Hash>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn leaf_and_node_hashes_are_those_of_rfc_6962() {
        // The empty leaf, as certificate transparency's test vectors have it.
        assert_eq!(Hash::leaf("").to_string(), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_ne!(Hash::node(Hash::ZERO, Hash::ZERO), Hash::of(&[&[0; 64]]));
    }
}
