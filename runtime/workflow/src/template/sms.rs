//! How many parts an SMS is sent in, which is what it costs (3GPP TS 23.038 and 23.040).

/// The GSM 7-bit default alphabet, without the escape.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Reached by the escape: each takes two septets.
const EXTENDED: &str = "\u{0c}^{}\\[~]|€";

/// How a text is coded on the air.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// 7-bit: 160 characters in one part, 153 in each of several.
    Gsm7,
    /// 16-bit: 70 in one part, 67 in each of several. One character outside GSM-7 makes the whole text so.
    Ucs2,
}

/// The size of an SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// How it is coded.
    pub encoding: Encoding,
    /// Septets or 16-bit units.
    pub units: usize,
    /// Parts to send; 0 for an empty text.
    pub count: usize,
}

/// The size of this text as an SMS.
#[must_use]
pub fn segments(text: &str) -> Segments {
    let gsm: Option<Vec<usize>> = text.chars().map(septets).collect();
    let (encoding, sizes, one, several) = match gsm {
        Some(sizes) => (Encoding::Gsm7, sizes, 160, 153),
        None => (Encoding::Ucs2, text.chars().map(char::len_utf16).collect(), 70, 67),
    };
    let units = sizes.iter().sum();
    let count = if units <= one { usize::from(units > 0) } else { parts(&sizes, several) };
    Segments { encoding, units, count }
}

fn septets(c: char) -> Option<usize> {
    if BASIC.contains(c) { Some(1) } else { EXTENDED.contains(c).then_some(2) }
}

/// A character is never split between two parts.
fn parts(sizes: &[usize], room: usize) -> usize {
    let mut count = 1;
    let mut used = 0;
    for size in sizes {
        if used + size > room {
            count += 1;
            used = 0;
        }
        used += size;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_has_all_its_characters() {
        assert_eq!(BASIC.chars().count(), 127);
        assert_eq!(EXTENDED.chars().count(), 10);
    }

    #[test]
    fn parts_are_counted_at_the_edges() {
        let count = |text: &str| segments(text).count;
        assert_eq!([count(""), count("a"), count(&"a".repeat(160)), count(&"a".repeat(161))], [0, 1, 1, 2]);
        assert_eq!([count(&"a".repeat(306)), count(&"a".repeat(307))], [2, 3]);
        assert_eq!([count(&"ж".repeat(70)), count(&"ж".repeat(71)), count(&"ж".repeat(135))], [1, 2, 3]);
    }

    #[test]
    fn one_foreign_character_changes_the_coding() {
        assert_eq!(segments("ok"), Segments { encoding: Encoding::Gsm7, units: 2, count: 1 });
        assert_eq!(segments("o’k").encoding, Encoding::Ucs2);
        assert_eq!(segments("😀").units, 2);
    }

    #[test]
    fn a_pair_is_never_split() {
        // 152 letters and a euro sign need 154 septets: the sign goes to the next part.
        let text = format!("{}€{}", "a".repeat(152), "a".repeat(151));
        assert_eq!(segments(&text), Segments { encoding: Encoding::Gsm7, units: 305, count: 2 });
        let text = format!("{}€{}", "a".repeat(152), "a".repeat(152));
        assert_eq!(segments(&text).count, 3);
    }
}
