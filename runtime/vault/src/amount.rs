//! Amounts: compared without being kept. There are few amounts, so only a keyed hash tells nothing.

use crate::Vault;

impl Vault {
    /// What an amount of one customer is compared by.
    pub fn amount_hash(&self, tenant: &str, customer: &str, minor: i64, currency: &str) -> String {
        hex::encode(*self.derive("amount", &format!("{tenant}/{customer}/{minor} {currency}")))
    }
}
