//! "Did you mean …?": the nearest known word.

/// Longer words are not compared: nobody mistypes one into another.
const LONGEST: usize = 64;
/// How much of a user's text an error repeats, in characters.
const QUOTED: usize = 40;

/// The known word that is nearest to `word`, if one is near enough to be meant: at most one slip in three
/// letters, capitals aside. A word of two letters has no room for a slip.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let allowed = match word.chars().count() {
        0..=2 => 0,
        letters => (letters / 3).max(1),
    };
    known
        .into_iter()
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(slips, _)| *slips <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Help for an unknown word: the nearest known one, or else all of them while they are few.
#[must_use]
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(near) = nearest(word, known.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let few = 1..=16;
    few.contains(&known.len()).then(|| format!("known here: {}", list(&known)))
}

/// `a`, `b`, `c`: in backticks.
pub(crate) fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The beginning of a user's text, fit for a message on one line.
pub(crate) fn shorten(text: &str) -> String {
    let line: String = text.chars().take(QUOTED).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() > QUOTED { format!("{line}…") } else { line }
}

/// Optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(LONGEST + 1).collect();
    let b: Vec<char> = b.chars().take(LONGEST + 1).collect();
    if a.len() > LONGEST || b.len() > LONGEST {
        return usize::MAX;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replace.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before_last[j - 2] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let known = ["answer-within", "tries", "valid", "over"];
        assert_eq!(nearest("answer-withn", known), Some("answer-within"));
        assert_eq!(nearest("trise", known), Some("tries"));
        assert_eq!(nearest("ovr", known), Some("over"));
        assert_eq!(nearest("l2", ["L1", "L2"]), Some("L2"));
    }

    #[test]
    fn another_word_is_not_taken_for_a_slip() {
        assert_eq!(nearest("colour", ["tries", "valid"]), None);
        assert_eq!(nearest("L9", ["L1", "L2"]), None);
        assert_eq!(did_you_mean("colour", ["tries", "valid"]).unwrap(), "known here: `tries`, `valid`");
        assert_eq!(nearest(&"x".repeat(500), ["tries"]), None);
    }
}
