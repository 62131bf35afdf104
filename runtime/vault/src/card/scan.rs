//! Card numbers in free text: notes, transcripts, logs, records.
//!
//! The scan would rather remove an order number than leave a card number: 13 to 19 digits with a good check digit
//! count, however they are grouped, and one in ten random numbers has one. What does not count: numbers that
//! begin with 0 or 1, which no payment network issues, and part of an unbroken string of digits, or every second
//! time in microseconds would be taken for a card.

use std::ops::Range;

/// Digits of the card numbers that are looked for.
const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;
/// The most separators between two digits of one number.
const MAX_SEPARATORS: usize = 2;
/// What stands where a card number was.
const REMOVED: &str = "[card number removed]";

/// Whether the check digit is right (ISO/IEC 7812-1 annex B). Takes ASCII digits.
pub fn luhn(digits: impl DoubleEndedIterator<Item = u8>) -> bool {
    let weighed = digits.rev().enumerate().map(|(place, digit)| {
        let digit = u32::from(digit.wrapping_sub(b'0'));
        match place % 2 {
            0 => digit,
            _ if digit > 4 => digit * 2 - 9,
            _ => digit * 2,
        }
    });
    weighed.sum::<u32>() % 10 == 0
}

/// What people write between the digits of a card number.
pub fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '-' | '\t' | '\u{a0}' | '\u{2009}' | '\u{2010}'..='\u{2015}' | '\u{202f}')
}

/// Where card numbers stand in the text, as byte ranges in order that do not touch one another.
pub fn find_card_numbers(text: &str) -> Vec<Range<usize>> {
    runs(text).iter().flat_map(|run| numbers_in(run)).collect()
}

/// The text with each card number replaced by words.
pub fn redact_card_numbers(text: &str) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut kept = 0;
    for found in find_card_numbers(text) {
        redacted.push_str(&text[kept..found.start]);
        redacted.push_str(REMOVED);
        kept = found.end;
    }
    redacted.push_str(&text[kept..]);
    redacted
}

/// A digit and its byte position.
type Digit = (usize, u8);

/// The digits of the text, in runs that no more than a few separators interrupt.
fn runs(text: &str) -> Vec<Vec<Digit>> {
    let mut runs = vec![Vec::new()];
    let mut separators = 0;
    for (at, c) in text.char_indices() {
        if c.is_ascii_digit() {
            if let Some(run) = runs.last_mut() {
                run.push((at, text.as_bytes()[at]));
            }
            separators = 0;
            continue;
        }
        separators = if is_separator(c) { separators + 1 } else { MAX_SEPARATORS + 1 };
        if separators > MAX_SEPARATORS && runs.last().is_some_and(|run| !run.is_empty()) {
            runs.push(Vec::new());
        }
    }
    runs
}

/// The card numbers in one run, each from the edge of a group of digits to the edge of one; those that overlap are
/// one.
fn numbers_in(run: &[Digit]) -> Vec<Range<usize>> {
    let is_edge = |at: usize| at == 0 || at == run.len() || run[at - 1].0 + 1 != run[at].0;
    let is_card = |start: usize, end: usize| {
        end <= run.len() && is_edge(end) && luhn(run[start..end].iter().map(|(_, digit)| *digit))
    };
    let mut found: Vec<Range<usize>> = Vec::new();
    for (start, (first, digit)) in run.iter().enumerate() {
        if !is_edge(start) || matches!(digit, b'0' | b'1') {
            continue;
        }
        let Some(length) = DIGITS.rev().find(|length| is_card(start, start + length)) else { continue };
        let end = run[start + length - 1].0 + 1;
        match found.last_mut() {
            Some(last) if *first < last.end => last.end = last.end.max(end),
            _ => found.push(*first..end),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_found_however_they_are_grouped() {
        for number in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111\u{a0}1111\u{2011}1111  1111",
            "3782 822463 10005",
            "4222222222222",
            "6304000000000000000",
        ] {
            let text = format!("my card is {number}, thanks");
            let expected = 11..11 + number.len();
            assert_eq!(find_card_numbers(&text), vec![expected], "{number}");
        }
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        for text in [
            "",
            "call +1 555 010 0123 at 17:03",
            "2026-11-24T17:03:00.000000Z",
            "order 4111111111111112",
            "4111 1111 1111 111",
            "4111   1111   1111   1111",
            "4111, 1111, 1111, 1111",
            "1795539780000000",
            "1795539780000007",
            // A card number within a longer string of digits, as in an id.
            "94111111111111111",
            "ünïcödé ٤١١١١١١١١١١١١١١١",
        ] {
            assert_eq!(redact_card_numbers(text), text);
        }
    }

    #[test]
    fn only_the_number_is_replaced() {
        let text = "é: 4111 1111 1111 1111 or 5555-5555-5555-4444; thanks";
        assert_eq!(redact_card_numbers(text), "é: [card number removed] or [card number removed]; thanks");
    }

    #[test]
    fn a_number_beside_other_numbers_is_found() {
        for text in
            ["card4111111111111111", "4111111111111111 12/27 123", "77 4111111111111111 123", "1-4111 1111 1111 1111"]
        {
            let redacted = redact_card_numbers(text);
            assert!(!redacted.contains("1111"), "{redacted}");
        }
    }

    proptest! {
        #[test]
        fn every_card_number_is_removed_from_any_text(before in "[^0-9]{0,20}", after in "[^0-9]{0,20}", middle in 0u64..10_000_000_000_000, first in 2u64..10) {
            let body = format!("{first}{middle:014}");
            let check = (0..10).find(|check| luhn(format!("{body}{check}").bytes())).unwrap();
            let number = format!("{body}{check}");
            let redacted = redact_card_numbers(&format!("{before}{number}{after}"));
            prop_assert_eq!(redacted, format!("{before}{REMOVED}{after}"));
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), digits in "[0-9 -]{0,60}") {
            let once = redact_card_numbers(&digits);
            prop_assert_eq!(find_card_numbers(&once), vec![]);
            let _ = redact_card_numbers(&text);
        }
    }
}
