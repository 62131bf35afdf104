//! Card security codes: in memory, for minutes, taken once. They are never written anywhere (PCI DSS 3.3.1).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;

use crate::VaultError;

/// The most codes that wait at once.
const MAX_CODES: usize = 10_000;

/// Security codes that wait for their authorization. They are wiped when taken, expired or dropped; a restart
/// loses them, and the customer types the code again.
#[derive(Default)]
pub struct Transient {
    codes: Mutex<BTreeMap<String, Waiting>>,
}

struct Waiting {
    code: SecretString,
    /// UTC microseconds; from then on the code is not given out.
    expires: i64,
}

impl Transient {
    /// An empty one.
    pub fn new() -> Transient {
        Transient::default()
    }

    /// Keeps the code for the card's token until `expires` (UTC microseconds). A code that waited for the same
    /// token is replaced. Errors: V405 when 10,000 wait already; sweep, and let the customer try again.
    pub fn put(&self, token: impl Into<String>, code: SecretString, expires: i64) -> Result<(), VaultError> {
        let (mut codes, token) = (self.lock(), token.into());
        if codes.len() >= MAX_CODES && !codes.contains_key(&token) {
            return Err(VaultError::TransientFull { limit: MAX_CODES });
        }
        codes.insert(token, Waiting { code, expires });
        Ok(())
    }

    /// Takes the code out, once. Absent when there is none, it was taken, or it has expired.
    pub fn take(&self, token: &str, now: i64) -> Option<SecretString> {
        let waiting = self.lock().remove(token)?;
        (now < waiting.expires).then_some(waiting.code)
    }

    /// Wipes what has expired and returns how many codes that were.
    pub fn sweep(&self, now: i64) -> usize {
        let mut codes = self.lock();
        let before = codes.len();
        codes.retain(|_, waiting| now < waiting.expires);
        before - codes.len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Waiting>> {
        // No code panics while it holds the lock halfway through a change, so the map is whole even then.
        self.codes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn code(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn a_code_is_taken_once() {
        let transient = Transient::new();
        transient.put("card_1", code("123"), 100).unwrap();
        assert!(transient.take("card_2", 0).is_none());
        assert_eq!(transient.take("card_1", 99).unwrap().expose_secret(), "123");
        assert!(transient.take("card_1", 99).is_none());
    }

    #[test]
    fn an_expired_code_is_not_given_out_and_is_gone() {
        let transient = Transient::new();
        transient.put("card_1", code("123"), 100).unwrap();
        assert!(transient.take("card_1", 100).is_none());
        assert!(transient.take("card_1", 0).is_none());
    }

    #[test]
    fn a_sweep_wipes_what_has_expired_and_keeps_the_rest() {
        let transient = Transient::new();
        transient.put("old", code("123"), 100).unwrap();
        transient.put("new", code("456"), 101).unwrap();
        assert_eq!(transient.sweep(100), 1);
        assert!(transient.take("new", 100).is_some());
    }

    #[test]
    fn codes_are_counted_and_the_limit_holds() {
        let transient = Transient::new();
        for card in 0..MAX_CODES {
            transient.put(format!("card_{card}"), code("123"), 100).unwrap();
        }
        let refused = transient.put("one more", code("123"), 100);
        assert!(matches!(refused, Err(VaultError::TransientFull { limit: MAX_CODES })));
        transient.put("card_0", code("456"), 200).unwrap();
        assert_eq!(transient.sweep(100), MAX_CODES - 1);
        transient.put("one more", code("123"), 300).unwrap();
    }
}
