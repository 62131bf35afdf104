//! Secrets that are never stored, because the vault derives them again when they are needed: one-time codes,
//! link tokens, salts. Each is HMAC-SHA-256 under a key derived from the master key, over its use and a context.
//!
//! The context names the one thing that the secret is for, such as `otp/i_1/step-3/attempt-2`: same context,
//! same secret. A context must never come from a stranger.

use aws_lc_rs::{constant_time, digest, hmac};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::Vault;
use crate::envelope::parts;

/// One-time codes have six digits.
const CODES: u64 = 1_000_000;
/// The longest text that is compared with a code: six digits, generously spaced.
const MAX_GIVEN_BYTES: usize = 64;

impl Vault {
    /// The one-time code of six digits for this context.
    ///
    /// 64 bits are taken modulo 10^6, so that no code is likelier than another by more than 1 in 10^13.
    pub fn code(&self, context: &str) -> SecretString {
        let bytes = self.derive("one-time code", context);
        let number = bytes.iter().take(8).fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
        SecretString::from(format!("{:06}", number % CODES))
    }

    /// Whether this is the code for the context. Spaces do not count, and the time taken does not tell how much
    /// of the code was right.
    pub fn code_matches(&self, context: &str, given: &str) -> bool {
        if given.len() > MAX_GIVEN_BYTES {
            return false;
        }
        let given: Zeroizing<String> = Zeroizing::new(given.split_whitespace().collect());
        let code = self.code(context);
        constant_time::verify_slices_are_equal(code.expose_secret().as_bytes(), given.as_bytes()).is_ok()
    }

    /// The token of a link for this context: 256 bits as 43 characters of base64url. Store its [`link_id`].
    pub fn link_token(&self, context: &str) -> SecretString {
        SecretString::from(URL_SAFE_NO_PAD.encode(self.derive("link token", context).as_ref()))
    }

    /// The id of the interaction that a customer's text opens: the same whenever its vendor tells of it.
    pub fn text_id(&self, context: &str) -> String {
        format!("int_{}", hex::encode(&self.derive("text", context)[..16]))
    }

    /// The salt of a commitment for this context.
    pub fn salt(&self, context: &str) -> [u8; 32] {
        *self.derive("salt", context)
    }

    pub(crate) fn derive(&self, purpose: &str, context: &str) -> Zeroizing<[u8; 32]> {
        let tag = hmac::sign(&self.deriving, &parts(&[purpose, context]));
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }
}

/// What a link's token is stored and looked up by: hex SHA-256 over a domain and the token. It does not give the
/// token back.
pub fn link_id(token: &str) -> String {
    hex::encode(digest::digest(&digest::SHA256, &parts(&["selvedge.link/1", token])))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::envelope::tests::vault;

    #[test]
    fn a_code_has_six_digits_and_is_the_same_each_time() {
        for attempt in 0..2000 {
            let context = format!("otp/{attempt}");
            let code = vault(1).code(&context);
            let code = code.expose_secret();
            assert!(code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
            assert_eq!(code, vault(1).code(&context).expose_secret());
        }
    }

    #[test]
    fn codes_are_spread_evenly() {
        let mut first_digits = [0; 10];
        for attempt in 0..10_000 {
            let code = vault(1).code(&format!("otp/{attempt}"));
            first_digits[usize::from(code.expose_secret().as_bytes()[0] - b'0')] += 1;
        }
        // 1000 expected, standard deviation 30; the seed is fixed, so this does not flicker.
        assert!(first_digits.iter().all(|count| (850..1150).contains(count)), "{first_digits:?}");
    }

    #[test]
    fn the_code_matches_however_it_is_spaced() {
        let vault = vault(1);
        let code = vault.code("otp/1").expose_secret().to_owned();
        let (left, right) = code.split_at(3);
        for given in [code.clone(), format!("{left} {right}"), format!(" {left}\u{a0}{right}\n")] {
            assert!(vault.code_matches("otp/1", &given), "{given:?}");
        }
        let next = (code.parse::<u32>().unwrap() + 1) % 1_000_000;
        let long = format!("{code}{}", " ".repeat(MAX_GIVEN_BYTES));
        for given in [
            format!("{next:06}"),
            code[..5].to_owned(),
            format!("{code}0"),
            String::new(),
            format!("{left}-{right}"),
            long,
        ] {
            assert!(!vault.code_matches("otp/1", &given), "{given:?}");
        }
        assert!(!vault.code_matches("otp/2", &code), "a code for another context");
    }

    #[test]
    fn tokens_and_salts_differ_by_context_use_and_master_key() {
        let mut seen = HashSet::new();
        for seed in [1, 2] {
            for context in ["a", "b", ""] {
                let token = vault(seed).link_token(context).expose_secret().to_owned();
                assert_eq!(token.len(), 43);
                let salt = URL_SAFE_NO_PAD.encode(vault(seed).salt(context));
                assert!(seen.insert(token) && seen.insert(salt));
            }
        }
    }

    #[test]
    fn a_link_is_looked_up_by_an_id_that_hides_its_token() {
        let token = vault(1).link_token("pay/i_1");
        let id = link_id(token.expose_secret());
        assert_eq!(id, link_id(token.expose_secret()));
        assert_eq!(id.len(), 64);
        assert_ne!(id, link_id(&token.expose_secret()[1..]));
    }
}
