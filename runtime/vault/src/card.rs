//! Payment cards: what a customer typed, checked before anything else sees it, and card numbers found in text.

use std::fmt;

use miette::Diagnostic;
use secrecy::SecretString;
use thiserror::Error;
use zeroize::Zeroizing;

mod scan;

pub use scan::{find_card_numbers, redact_card_numbers};

/// The longest text that is read as one field of a card.
const MAX_FIELD_BYTES: usize = 64;
/// Card numbers have 12 to 19 digits (ISO/IEC 7812-1).
const NUMBER_DIGITS: std::ops::RangeInclusive<usize> = 12..=19;
/// Security codes have 3 digits, or 4 on American Express.
const CODE_DIGITS: std::ops::RangeInclusive<usize> = 3..=4;
/// A card that seems to be valid for longer than this is a typing mistake.
const MAX_YEARS_AHEAD: i32 = 25;

/// A card as typed. It has no `Debug`; its secret parts are wiped when it goes.
pub struct Card {
    number: SecretString,
    month: u8,
    year: i32,
    code: SecretString,
    brand: Brand,
    last4: String,
}

/// The network a number belongs to, by its first digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brand {
    /// American Express.
    Amex,
    /// Diners Club.
    Diners,
    /// Discover.
    Discover,
    /// JCB.
    Jcb,
    /// Mastercard.
    Mastercard,
    /// UnionPay.
    UnionPay,
    /// Visa.
    Visa,
    /// Any other.
    Other,
}

/// What a customer should look at again. The messages are read on the payment page and hold no digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Diagnostic)]
pub enum CardFault {
    /// Not a card number.
    #[error("Please check the card number: it does not look complete, or a digit is wrong.")]
    #[diagnostic(code(V410), help("type the number as it stands on the card; spaces are fine"))]
    Number,
    /// No month and year that a card can have.
    #[error("Please check the expiry date: give month and year as they stand on the card.")]
    #[diagnostic(code(V411), help("type the month and the year as they stand on the card"))]
    Expiry,
    /// A date in the past.
    #[error("This card has expired. Please use another card.")]
    #[diagnostic(code(V412), help("use a card that is still valid"))]
    Expired,
    /// Not a security code.
    #[error(
        "Please check the security code: it is the short number printed beside the signature or on the front of the card."
    )]
    #[diagnostic(code(V413), help("type the security code as it is printed on the card"))]
    Code,
}

impl CardFault {
    /// The field of the form that it is about: `number`, `expiry` or `code`.
    pub fn field(self) -> &'static str {
        match self {
            CardFault::Number => "number",
            CardFault::Expiry | CardFault::Expired => "expiry",
            CardFault::Code => "code",
        }
    }
}

impl Card {
    /// Checks what was typed: the number (spaces and dashes allowed) by length and check digit, the month and
    /// the year (two or four digits) against today, which is `now_year` and `now_month` (1 to 12) where the
    /// customer is, and the security code by length.
    ///
    /// Errors: the first field that needs another look.
    pub fn parse(
        number: &str,
        month: &str,
        year: &str,
        code: &str,
        now_year: i32,
        now_month: u8,
    ) -> Result<Card, CardFault> {
        let number = digits(number).ok_or(CardFault::Number)?;
        if !NUMBER_DIGITS.contains(&number.len()) || !scan::luhn(number.bytes()) {
            return Err(CardFault::Number);
        }
        let (year, month) = expiry(month, year, now_year).ok_or(CardFault::Expiry)?;
        // A card is good through the last day of its month.
        if (year, month) < (now_year, now_month) {
            return Err(CardFault::Expired);
        }
        let code = digits(code).filter(|code| CODE_DIGITS.contains(&code.len())).ok_or(CardFault::Code)?;
        Ok(Card {
            brand: Brand::of(&number),
            last4: number[number.len() - 4..].to_owned(),
            number: SecretString::from(number.as_str()),
            month,
            year,
            code: SecretString::from(code.as_str()),
        })
    }

    /// The number, digits only.
    pub fn number(&self) -> &SecretString {
        &self.number
    }

    /// The month of expiry, 1 to 12.
    pub fn month(&self) -> u8 {
        self.month
    }

    /// The year of expiry, four digits.
    pub fn year(&self) -> i32 {
        self.year
    }

    /// The security code. It may only wait in [`Transient`](crate::Transient).
    pub fn code(&self) -> &SecretString {
        &self.code
    }

    /// The network.
    pub fn brand(&self) -> Brand {
        self.brand
    }

    /// The last four digits of the number, which may be shown.
    pub fn last4(&self) -> &str {
        &self.last4
    }
}

impl Brand {
    fn of(number: &str) -> Brand {
        let leading = |count: usize| number[..count].parse().unwrap_or(0u32);
        match (leading(1), leading(2), leading(3), leading(4)) {
            (4, ..) => Brand::Visa,
            (_, 51..=55, ..) | (_, _, _, 2221..=2720) => Brand::Mastercard,
            (_, 34 | 37, ..) => Brand::Amex,
            (_, _, _, 6011) | (_, _, 644..=649, _) | (_, 65, ..) => Brand::Discover,
            (_, _, _, 3528..=3589) => Brand::Jcb,
            (_, 36 | 38 | 39, ..) | (_, _, 300..=305, _) => Brand::Diners,
            (_, 62, ..) => Brand::UnionPay,
            _ => Brand::Other,
        }
    }

    /// The name as customers know it.
    pub fn name(self) -> &'static str {
        match self {
            Brand::Amex => "American Express",
            Brand::Diners => "Diners Club",
            Brand::Discover => "Discover",
            Brand::Jcb => "JCB",
            Brand::Mastercard => "Mastercard",
            Brand::UnionPay => "UnionPay",
            Brand::Visa => "Visa",
            Brand::Other => "Card",
        }
    }
}

impl fmt::Display for Brand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The digits in a field. Absent when there is anything else in it but spaces and dashes.
fn digits(field: &str) -> Option<Zeroizing<String>> {
    if field.len() > MAX_FIELD_BYTES {
        return None;
    }
    // The room is made at once: a string that grows leaves copies behind that are not wiped.
    let mut digits = Zeroizing::new(String::with_capacity(field.len()));
    for c in field.chars() {
        match c {
            '0'..='9' => digits.push(c),
            c if scan::is_separator(c) => {}
            _ => return None,
        }
    }
    Some(digits)
}

/// Year and month, when a card can have them.
fn expiry(month: &str, year: &str, now_year: i32) -> Option<(i32, u8)> {
    let (month, year) = (month.trim(), year.trim());
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !plain(month) || !plain(year) {
        return None;
    }
    let century = match year.len() {
        2 => now_year - now_year % 100,
        4 => 0,
        _ => return None,
    };
    let year = century + year.parse::<i32>().ok()?;
    let month = month.parse().ok().filter(|month| (1..=12).contains(month))?;
    (year <= now_year + MAX_YEARS_AHEAD).then_some((year, month))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    /// Published test numbers.
    const VISA: &str = "4111 1111 1111 1111";
    const NOW: (i32, u8) = (2026, 11);

    fn parse(number: &str, month: &str, year: &str, code: &str) -> Result<Card, CardFault> {
        Card::parse(number, month, year, code, NOW.0, NOW.1)
    }

    fn fault(number: &str, month: &str, year: &str, code: &str) -> Option<CardFault> {
        parse(number, month, year, code).err()
    }

    #[test]
    fn a_good_card_is_read_and_its_digits_are_kept_apart() {
        let Ok(card) = parse(VISA, "12", "27", "123") else { panic!("refused") };
        assert_eq!(card.number().expose_secret(), "4111111111111111");
        assert_eq!((card.month(), card.year()), (12, 2027));
        assert_eq!(card.code().expose_secret(), "123");
        assert_eq!((card.brand(), card.last4()), (Brand::Visa, "1111"));
    }

    #[test]
    fn brands_are_told_by_the_first_digits() {
        for (number, brand) in [
            ("4242424242424242", Brand::Visa),
            ("5555555555554444", Brand::Mastercard),
            ("2223003122003222", Brand::Mastercard),
            ("378282246310005", Brand::Amex),
            ("6011111111111117", Brand::Discover),
            ("3566002020360505", Brand::Jcb),
            ("30569309025904", Brand::Diners),
            ("6200000000000005", Brand::UnionPay),
            ("000000000000", Brand::Other),
        ] {
            let Ok(card) = parse(number, "1", "2030", "1234") else { panic!("{number} was refused") };
            assert_eq!(card.brand(), brand, "{number}");
        }
    }

    #[test]
    fn a_wrong_number_is_refused() {
        for number in ["4111111111111112", "4111", "", "00000000000", "4111a1111b1111c1111", "4111١1111111111111"] {
            assert_eq!(fault(number, "12", "27", "123"), Some(CardFault::Number), "{number}");
        }
        assert_eq!(fault(&"0".repeat(20), "12", "27", "123"), Some(CardFault::Number));
        assert_eq!(fault(&format!("{VISA}{}", " ".repeat(64)), "12", "27", "123"), Some(CardFault::Number));
    }

    #[test]
    fn a_card_is_good_through_its_last_month() {
        assert_eq!(fault(VISA, "11", "2026", "123"), None);
        assert_eq!(fault(VISA, "10", "26", "123"), Some(CardFault::Expired));
        assert_eq!(fault(VISA, "12", "2025", "123"), Some(CardFault::Expired));
    }

    #[test]
    fn dates_that_no_card_has_are_refused() {
        for (month, year) in [
            ("0", "27"),
            ("13", "27"),
            ("", "27"),
            ("12", ""),
            ("12", "027"),
            ("+1", "27"),
            ("12", "2052"),
            ("1e", "27"),
        ] {
            assert_eq!(fault(VISA, month, year, "123"), Some(CardFault::Expiry), "{month}/{year}");
        }
        assert_eq!(fault(VISA, "12", "2051", "123"), None);
    }

    #[test]
    fn a_security_code_has_three_or_four_digits() {
        assert_eq!(fault(VISA, "12", "27", "1234"), None);
        for code in ["", "12", "12345", "12a"] {
            assert_eq!(fault(VISA, "12", "27", code), Some(CardFault::Code), "{code}");
        }
    }

    #[test]
    fn what_the_customer_reads_names_the_field_and_holds_no_digits() {
        for (fault, field) in [
            (CardFault::Number, "number"),
            (CardFault::Expiry, "expiry"),
            (CardFault::Expired, "expiry"),
            (CardFault::Code, "code"),
        ] {
            assert_eq!(fault.field(), field);
            let (message, help) = (fault.to_string(), fault.help().unwrap().to_string());
            assert!(!(message + &help).contains(|c: char| c.is_ascii_digit()), "{fault}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_parsing_panic(number in any::<String>(), month in any::<String>(), year in any::<String>(), code in any::<String>()) {
            let _ = parse(&number, &month, &year, &code);
            let _ = parse(VISA, &month, &year, &code);
        }

        #[test]
        fn any_one_digit_mistyped_is_noticed(at in 0usize..16, add in 1u8..10) {
            let mut digits: Vec<u8> = VISA.bytes().filter(u8::is_ascii_digit).collect();
            digits[at] = b'0' + (digits[at] - b'0' + add) % 10;
            let number = String::from_utf8(digits).unwrap();
            prop_assert_eq!(fault(&number, "12", "27", "123"), Some(CardFault::Number));
        }
    }
}
