//! Money and the terms of a plan. Minor units and a currency, never a fraction.

use selvedge_workflow::plan::Every;
use serde::{Deserialize, Serialize};

use crate::error::EngineError;

/// The most parts a plan may have.
pub const MAX_PARTS: u32 = 120;

/// An amount: `{"minor": 37550, "currency": "USD"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Minor units (cents).
    pub minor: i64,
    /// ISO 4217, upper case.
    pub currency: String,
}

impl Money {
    /// Reads the JSON form that money fields are kept in.
    pub fn parse(field: &str, text: &str) -> Result<Money, EngineError> {
        let bad = || EngineError::BadValue {
            field: field.into(),
            wanted: "an amount such as {\"minor\": 37550, \"currency\": \"USD\"}".into(),
        };
        let money: Money = serde_json::from_str(text).map_err(|_| bad())?;
        if money.exponent().is_none() || money.minor < 0 { Err(bad()) } else { Ok(money) }
    }

    fn exponent(&self) -> Option<u32> {
        iso_currency::Currency::from_code(&self.currency).map(|c| c.exponent().map_or(0, u32::from))
    }

    /// As people write it: `$375.50`, `EUR 12.00`.
    pub fn in_words(&self) -> String {
        let exponent = self.exponent().unwrap_or(0);
        let unit = 10_i64.pow(exponent);
        let sign = if self.currency == "USD" { "$".to_owned() } else { format!("{} ", self.currency) };
        let whole = group(self.minor / unit);
        match exponent {
            0 => format!("{sign}{whole}"),
            digits => format!("{sign}{whole}.{:0width$}", self.minor % unit, width = digits as usize),
        }
    }

    /// Reads what [`Money::in_words`] writes.
    pub fn from_words(text: &str) -> Option<Money> {
        let (currency, number) = match text.strip_prefix('$') {
            Some(number) => ("USD", number),
            None => text.split_once(' ')?,
        };
        let minor = number.chars().filter(char::is_ascii_digit).collect::<String>().parse().ok()?;
        let money = Money { minor, currency: currency.to_owned() };
        // Only the one form: what reads back otherwise was written otherwise.
        (money.exponent().is_some() && money.in_words() == text).then_some(money)
    }
}

fn group(whole: i64) -> String {
    let digits = whole.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// What a customer agrees to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The whole amount.
    pub total: Money,
    /// The parts in order; they add up to the total.
    pub parts: Vec<Money>,
    /// One part every so often.
    pub every: Every,
}

impl Terms {
    /// Splits a total evenly; what does not divide goes to the first parts, a minor unit each.
    pub fn split(total: Money, payments: u32, every: Every) -> Result<Terms, EngineError> {
        if payments == 0 || payments > MAX_PARTS {
            return Err(EngineError::Limit { what: "the number of payments".into(), limit: MAX_PARTS as usize });
        }
        let n = i64::from(payments);
        let (each, rest) = (total.minor / n, total.minor % n);
        let parts =
            (0..n).map(|i| Money { minor: each + i64::from(i < rest), currency: total.currency.clone() }).collect();
        Ok(Terms { total, parts, every })
    }

    /// As an agent reads it out: `3 payments, one a month: $125.17, $125.17, $125.16`.
    pub fn in_words(&self) -> String {
        let every = match self.every {
            Every::Week => "week",
            Every::Month => "month",
        };
        let parts: Vec<String> = self.parts.iter().map(Money::in_words).collect();
        format!("{} in {} payments, one a {every}: {}", self.total.in_words(), self.parts.len(), parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(minor: i64) -> Money {
        Money { minor, currency: "USD".into() }
    }

    #[test]
    fn money_reads_as_people_write_it() {
        assert_eq!(usd(37_550).in_words(), "$375.50");
        assert_eq!(usd(123_456_789).in_words(), "$1,234,567.89");
        assert_eq!(usd(5).in_words(), "$0.05");
        assert_eq!(Money { minor: 1200, currency: "JPY".into() }.in_words(), "JPY 1,200");
    }

    #[test]
    fn money_that_is_none_is_refused_without_showing_it() {
        for text in [
            "98.76",
            "{\"minor\":3.5,\"currency\":\"USD\"}",
            "{\"minor\":1,\"currency\":\"XXQ\"}",
            "{\"minor\":-1,\"currency\":\"USD\"}",
        ] {
            let error = Money::parse("account.balance", text).unwrap_err().to_string();
            assert!(error.contains("account.balance") && !error.contains("98.76"), "{error}");
        }
    }

    #[test]
    fn money_in_words_is_read_in_its_one_form() {
        assert_eq!(Money::from_words("$1,234,567.89"), Some(usd(123_456_789)));
        assert_eq!(Money::from_words("JPY 1,200"), Some(Money { minor: 1200, currency: "JPY".into() }));
        for wrong in
            ["", "$", "375.50", "$375.5", "$-1.00", "$1234.00", "USD 5.00", "XXQ 5.00", "$99999999999999999999.00"]
        {
            assert_eq!(Money::from_words(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn parts_add_up_and_differ_by_at_most_one(minor in 0_i64..1_000_000_000, payments in 1_u32..=MAX_PARTS) {
            let terms = Terms::split(usd(minor), payments, Every::Month).unwrap();
            prop_assert_eq!(terms.parts.iter().map(|p| p.minor).sum::<i64>(), minor);
            let (least, most) = (terms.parts.iter().map(|p| p.minor).min(), terms.parts.iter().map(|p| p.minor).max());
            prop_assert!(most.unwrap() - least.unwrap() <= 1);
        }
    }
}
