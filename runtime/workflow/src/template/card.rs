//! Does a text contain what looks like a card number?

/// Whether whole groups of digits next to each other, spaces and hyphens between them aside, have 13 to 19 digits
/// and pass the Luhn check (ISO/IEC 7812-1).
#[must_use]
pub fn contains_card_number(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_digit() || c == ' ' || c == '-';
    text.split(|c| !is_part(c)).any(|stretch| {
        let groups: Vec<&str> = stretch.split([' ', '-']).filter(|group| !group.is_empty()).collect();
        (0..groups.len()).any(|first| begins_with_card_number(&groups[first..]))
    })
}

fn begins_with_card_number(groups: &[&str]) -> bool {
    let mut digits: Vec<u32> = Vec::new();
    for group in groups {
        digits.extend(group.chars().filter_map(|c| c.to_digit(10)));
        match digits.len() {
            0..13 => {}
            13..=19 if luhn(&digits) => return true,
            13..=19 => {}
            _ => return false,
        }
    }
    false
}

fn luhn(digits: &[u32]) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits.iter().rev().enumerate().map(|(i, d)| if i % 2 == 1 { doubled(*d) } else { *d }).sum();
    sum.is_multiple_of(10) && digits.iter().any(|d| *d != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_is_seen_however_it_is_spaced() {
        for text in ["4242424242424242", "card 4242 4242 4242 4242.", "x4000-0566-5566-5556", "378282246310005"] {
            assert!(contains_card_number(text), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_left_alone() {
        for text in ["", "4242424242424241", "+1 555 010 0199", "0000 0000 0000 0000", "12345678"] {
            assert!(!contains_card_number(text), "{text}");
        }
    }
}
