//! Envelope encryption: the master key wraps data keys, a data key seals values. All of it is AES-256-GCM (NIST
//! SP 800-38D), and every sealed text begins with a version byte and its nonce.
//!
//! Nonces are the caller's: 12 random bytes, never used twice with one key. Random ones are good for 2^32 texts
//! per key (SP 800-38D §8.3); a scope's data key seals far fewer, and the master key wraps one key per scope.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::{MasterKey, VaultError};

/// The form of a sealed text: this byte, 12 bytes of nonce, ciphertext, 16 bytes of tag.
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;

/// What a data key is for. A key unwraps only for the scope that it was wrapped for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// Whose data it is.
    pub tenant: String,
    /// The customer or interaction whose data it is.
    pub subject: String,
    /// The class of data, such as `phi` or `pan`; each class has its own retention.
    pub class: String,
}

/// A data key that only the vault can open; the store keeps it. Deleting it makes all that it sealed unreadable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey(pub Vec<u8>);

/// The holder of the master key. It has no `Debug`.
pub struct Vault {
    wrapping: LessSafeKey,
    pub(crate) deriving: hmac::Key,
}

/// The key to the values of one scope. It has no `Debug`.
pub struct DataKey {
    key: LessSafeKey,
    scope: Scope,
}

impl Vault {
    /// A vault under this master key. One key is derived from it to wrap data keys and one for the secrets that
    /// are never stored (HKDF, RFC 5869), so neither use can weaken the other.
    pub fn new(master: MasterKey) -> Vault {
        let expand = |purpose: &[u8]| derived_key(&master, purpose);
        Vault {
            wrapping: aes_key(&expand(b"wrap data keys")),
            deriving: hmac::Key::new(hmac::HMAC_SHA256, expand(b"derive secrets").as_ref()),
        }
    }

    /// Wraps a new data key for the scope. `key` and `nonce` are fresh random bytes.
    pub fn new_data_key(&self, scope: &Scope, mut key: [u8; 32], nonce: [u8; 12]) -> WrappedKey {
        let wrapped = seal(&self.wrapping, &bound_to(scope, "data key"), &key, nonce);
        key.zeroize();
        WrappedKey(wrapped)
    }

    /// Opens a data key for the scope that it was wrapped for. Errors: V404.
    pub fn unwrap(&self, scope: &Scope, wrapped: &WrappedKey) -> Result<DataKey, VaultError> {
        let bytes = open(&self.wrapping, &bound_to(scope, "data key"), &wrapped.0)?;
        let key: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| VaultError::Closed)?;
        Ok(DataKey { key: aes_key(key), scope: scope.clone() })
    }
}

impl DataKey {
    /// Seals a value for one place, such as `customer/phone`: it opens nowhere else. `nonce` is fresh and random.
    pub fn seal(&self, place: &str, plaintext: &[u8], nonce: [u8; 12]) -> Vec<u8> {
        seal(&self.key, &bound_to(&self.scope, place), plaintext, nonce)
    }

    /// Opens a value that was sealed for this place. Errors: V404.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        open(&self.key, &bound_to(&self.scope, place), sealed)
    }
}

/// What a ciphertext is bound to besides its key.
fn bound_to(scope: &Scope, place: &str) -> Vec<u8> {
    let Scope { tenant, subject, class } = scope;
    parts(&["selvedge.vault/1", tenant, subject, class, place])
}

/// Texts in a row, each with its length before it, so that no two lists read the same.
pub(crate) fn parts(texts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in texts {
        bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

fn seal(key: &LessSafeKey, bound_to: &[u8], plaintext: &[u8], nonce: [u8; 12]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + plaintext.len() + AES_256_GCM.tag_len());
    sealed.push(VERSION);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plaintext);
    let text = &mut sealed[1 + NONCE_BYTES..];
    #[expect(clippy::expect_used, reason = "only a plaintext of 64 GiB is refused")]
    // INVARIANT: AES-GCM seals everything shorter than 64 GiB, which is more than a node's memory.
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound_to), text)
        .expect("a plaintext of less than 64 GiB");
    sealed.extend_from_slice(tag.as_ref());
    sealed
}

fn open(key: &LessSafeKey, bound_to: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let Some((&VERSION, rest)) = sealed.split_first() else {
        return Err(VaultError::Closed);
    };
    let Some((nonce, text)) = rest.split_first_chunk::<NONCE_BYTES>() else {
        return Err(VaultError::Closed);
    };
    let mut text = Zeroizing::new(text.to_vec());
    let length = key
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(bound_to), &mut text)
        .map_err(|_| VaultError::Closed)?
        .len();
    text.truncate(length);
    Ok(text)
}

#[expect(clippy::expect_used, reason = "the key has the right length by its type")]
fn aes_key(key: &[u8; 32]) -> LessSafeKey {
    // INVARIANT: AES-256 takes any 32 bytes.
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("32 bytes"))
}

#[expect(clippy::expect_used, reason = "HKDF gives up to 8160 bytes")]
fn derived_key(master: &MasterKey, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    // INVARIANT: one SHA-256 block is asked for, HKDF gives up to 255.
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"selvedge.vault/1")
        .extract(master.0.as_ref())
        .expand(&[purpose], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(key.as_mut()))
        .expect("32 bytes of HKDF");
    key
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn vault(seed: u8) -> Vault {
        Vault::new(MasterKey(Zeroizing::new([seed; 32])))
    }

    fn scope() -> Scope {
        Scope { tenant: "clinic".into(), subject: "c_1".into(), class: "phi".into() }
    }

    fn data_key() -> DataKey {
        let wrapped = vault(1).new_data_key(&scope(), [5; 32], [6; 12]);
        vault(1).unwrap(&scope(), &wrapped).unwrap()
    }

    fn is_closed<T>(result: Result<T, VaultError>) -> bool {
        matches!(result, Err(VaultError::Closed))
    }

    #[test]
    fn a_value_is_sealed_for_its_scope_and_place() {
        // A new customer: the store keeps `wrapped`, not the key.
        let wrapped = vault(1).new_data_key(&scope(), [5; 32], [6; 12]);
        let key = vault(1).unwrap(&scope(), &wrapped).unwrap();

        let sealed = key.seal("customer/phone", b"+15550100", [7; 12]);
        assert_eq!(key.open("customer/phone", &sealed).unwrap().as_slice(), b"+15550100");
        assert!(is_closed(key.open("customer/name", &sealed)), "sealed for another place");
        assert!(!sealed.windows(9).any(|window| window == b"+15550100"));
    }

    #[test]
    fn a_wrapped_key_opens_for_its_scope_and_master_alone() {
        let wrapped = vault(1).new_data_key(&scope(), [5; 32], [6; 12]);
        assert!(is_closed(vault(2).unwrap(&scope(), &wrapped)));
        for other in [
            Scope { tenant: "shop".into(), ..scope() },
            Scope { subject: "c_2".into(), ..scope() },
            Scope { class: "pan".into(), ..scope() },
            // The same letters, cut elsewhere.
            Scope { tenant: "clinicc".into(), subject: "_1".into(), ..scope() },
        ] {
            assert!(is_closed(vault(1).unwrap(&other, &wrapped)), "{other:?}");
        }
    }

    #[test]
    fn without_its_wrapped_key_a_value_is_gone() {
        let sealed = data_key().seal("customer/phone", b"+15550100", [7; 12]);
        // The wrapped key was deleted; the vault makes another for the same scope, which is of no use.
        let another = vault(1).new_data_key(&scope(), [8; 32], [9; 12]);
        let another = vault(1).unwrap(&scope(), &another).unwrap();
        assert!(is_closed(another.open("customer/phone", &sealed)));
    }

    #[test]
    fn a_wrapped_key_is_no_value_of_its_scope() {
        let wrapped = vault(1).new_data_key(&scope(), [5; 32], [6; 12]);
        assert!(is_closed(data_key().open("data key", &wrapped.0)));
    }

    #[test]
    fn a_version_byte_and_the_nonce_lead() {
        let sealed = data_key().seal("p", b"text", [7; 12]);
        assert_eq!((sealed[0], &sealed[1..13], sealed.len()), (VERSION, [7; 12].as_slice(), 1 + 12 + 4 + 16));
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(place in any::<String>(), text in proptest::collection::vec(any::<u8>(), 0..300), nonce in any::<[u8; 12]>()) {
            let sealed = data_key().seal(&place, &text, nonce);
            let opened = data_key().open(&place, &sealed).unwrap();
            prop_assert_eq!(opened.as_slice(), text.as_slice());
        }

        #[test]
        fn a_changed_or_cut_text_stays_closed(text in proptest::collection::vec(any::<u8>(), 0..40), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let sealed = data_key().seal("p", &text, [7; 12]);
            let at = at.index(sealed.len());
            let mut changed = sealed.clone();
            changed[at] ^= 1 << bit;
            prop_assert!(is_closed(data_key().open("p", &changed)));
            prop_assert!(is_closed(data_key().open("p", &sealed[..at])));
        }

        #[test]
        fn no_bytes_make_opening_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(is_closed(data_key().open("p", &bytes)));
            prop_assert!(is_closed(vault(1).unwrap(&scope(), &WrappedKey(bytes))));
        }
    }
}
