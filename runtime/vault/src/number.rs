//! Phone numbers: found again without being kept. A keyed hash stands in the store where an index needs the number; who
//! has the store without the master key cannot try all numbers (PCI DSS 3.5.1 asks the same of card numbers).

use crate::Vault;

/// The longest text that is read as a number.
const MAX_BYTES: usize = 64;
/// The digits of an international number (ITU-T E.164).
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

impl Vault {
    /// What a phone number is found by, for one tenant: the same for every way of spacing it. `None`: it is no number
    /// in international form.
    pub fn number_hash(&self, tenant: &str, number: &str) -> Option<[u8; 32]> {
        Some(*self.derive("phone number", &format!("{tenant}/{}", e164(number)?)))
    }
}

/// Whether this is a phone number in international form, however it is spaced.
pub fn is_phone_number(text: &str) -> bool {
    e164(text).is_some()
}

/// `+13125550142` from `+1 (312) 555-0142`.
fn e164(text: &str) -> Option<String> {
    let rest = text.trim().strip_prefix('+').filter(|_| text.len() <= MAX_BYTES)?;
    let mut number = String::from("+");
    for c in rest.chars() {
        match c {
            '0'..='9' => number.push(c),
            ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}' | '\u{2010}' | '\u{2011}' => {}
            _ => return None,
        }
    }
    (DIGITS.contains(&(number.len() - 1)) && !number.starts_with("+0")).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::tests::vault;

    #[test]
    fn a_number_has_one_hash_however_it_is_spaced() {
        let vault = vault(1);
        let hash = vault.number_hash("clinic", "+13125550142");
        assert!(hash.is_some());
        for spaced in
            ["+1 312 555 0142", " +1 (312) 555-0142 ", "+1.312.555.0142", "+1\u{a0}312\u{2011}555\u{2011}0142"]
        {
            assert_eq!(vault.number_hash("clinic", spaced), hash, "{spaced}");
        }
    }

    #[test]
    fn another_number_tenant_or_key_has_another_hash() {
        let hash = vault(1).number_hash("clinic", "+13125550142");
        for other in [
            vault(1).number_hash("clinic", "+13125550143"),
            vault(1).number_hash("shop", "+13125550142"),
            vault(2).number_hash("clinic", "+13125550142"),
        ] {
            assert_ne!(other, hash);
        }
    }

    #[test]
    fn what_is_no_international_number_has_none() {
        let long = format!("+1{}", " ".repeat(MAX_BYTES));
        for text in [
            "",
            "+",
            "3125550142",
            "+1312555",
            "+1234567890123456",
            "+0312555014",
            "+1312555O142",
            "+١٣١٢٥٥٥٠١٤٢",
            &long,
        ] {
            assert_eq!(vault(1).number_hash("clinic", text), None, "{text}");
        }
    }
}
