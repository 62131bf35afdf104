//! Did this inbound text ask to be left alone, or for help? Keywords end consent conclusively (47 CFR
//! 64.1200(a)(10)); other words do when a reasonable person would understand them so, and there the phrases of
//! `workflows/policies/opt-out.yaml` lean towards hearing a stop: one text too few is the cheaper mistake.
//!
//! ```yaml
//! owner: Compliance counsel
//! status: unreviewed
//! cite: 47 CFR 64.1200(a)(10), CTIA Messaging Principles 5.1.3
//! keywords: [stop, opt out]     # the whole text, apart from fillers
//! help: [help, info]            # the same, for a question
//! fillers: [please, now]        # words that change nothing
//! phrases: [quit texting]       # anywhere in the text; `*` stands for at most two words
//! not-after: [dont, never]      # "don't stop texting me"
//! stop-payments: [stop payments] # anywhere in the text: ends the authorization to charge what is on file
//! ```

use selvedge_workflow::source::{Diagnostic, Document, Item, Reader};
use serde::Serialize;

/// How much of a text is read, in characters: ten segments. Who asks to be left alone says so at once.
pub const MAX_TEXT: usize = 1600;
/// How many words a `*` stands for at most.
const MAX_GAP: usize = 2;
/// What stands for any words in a phrase.
const ANY: &str = "*";

/// What was heard in an inbound text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Heard {
    /// To be left alone.
    OptOut {
        /// The keyword or phrase of the policy, never the customer's text.
        by: String,
    },
    /// That nothing more is charged to what is on file.
    StopPayments {
        /// The phrase of the policy.
        by: String,
    },
    /// A question for help, to be answered even after an opt-out.
    Help,
    /// Neither.
    Other,
}

impl Heard {
    /// As tables write it: `opt-out`, `stop-payments`, `help`, `other`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Heard::OptOut { .. } => "opt-out",
            Heard::StopPayments { .. } => "stop-payments",
            Heard::Help => "help",
            Heard::Other => "other",
        }
    }
}

/// The words that end consent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptOut {
    keywords: Vec<Vec<String>>,
    help: Vec<Vec<String>>,
    fillers: Vec<String>,
    phrases: Vec<Vec<String>>,
    not_after: Vec<String>,
    stop_payments: Vec<Vec<String>>,
}

impl OptOut {
    /// Reads `policies/opt-out.yaml`.
    ///
    /// # Errors
    /// Every mistake, with its line and column.
    pub fn load(name: &str, text: &str) -> Result<OptOut, Vec<Diagnostic>> {
        let tree = Document::parse(name, text)?;
        let reader = Reader::new();
        let keys = ["owner", "status", "cite", "keywords", "help", "fillers", "phrases", "not-after", "stop-payments"];
        let file = reader.item(&tree, "the opt-out words").map(&keys);
        let head = (file.required("owner").text(), file.required("cite").text());
        let status = file.required("status").one_of(&["unreviewed", "reviewed"]);
        let keywords = sayings(&file.required("keywords"));
        let help = sayings(&file.required("help"));
        let phrases = sayings(&file.required("phrases"));
        let plain = |key: &str| sayings(&file.optional(key)).into_iter().flatten().collect();
        let stop_payments = sayings(&file.required("stop-payments"));
        let (fillers, not_after) = (plain("fillers"), plain("not-after"));
        let words = OptOut { keywords, help, fillers, phrases, not_after, stop_payments };
        reader.finish(head.0.and(head.1).and(status).map(|_| words))
    }

    /// What this text says. Case, punctuation and wide letters make no difference. An opt-out outweighs the rest, which
    /// [`OptOut::stops_payments`] hears all the same; that outweighs a question.
    #[must_use]
    pub fn hear(&self, text: &str) -> Heard {
        let said = words(text);
        let said: Vec<&str> = said.iter().map(String::as_str).collect();
        let core: Vec<&str> = said.iter().copied().filter(|word| !self.fillers.iter().any(|f| f == word)).collect();
        let whole = |known: &&Vec<String>| **known == core || **known == said;
        if let Some(keyword) = self.keywords.iter().find(whole) {
            return Heard::OptOut { by: keyword.join(" ") };
        }
        if let Some(by) = self.anywhere(&self.phrases, &said) {
            return Heard::OptOut { by };
        }
        if let Some(by) = self.anywhere(&self.stop_payments, &said) {
            return Heard::StopPayments { by };
        }
        if self.help.iter().any(|known| whole(&known)) { Heard::Help } else { Heard::Other }
    }

    /// Whether this text ends the authorization to charge what is on file, whatever else it says.
    #[must_use]
    pub fn stops_payments(&self, text: &str) -> bool {
        let said = words(text);
        let said: Vec<&str> = said.iter().map(String::as_str).collect();
        self.anywhere(&self.stop_payments, &said).is_some()
    }

    /// The first of the phrases that stands somewhere in what is said, and is meant.
    fn anywhere(&self, phrases: &[Vec<String>], said: &[&str]) -> Option<String> {
        let stands = |phrase: &&Vec<String>| {
            (0..said.len()).any(|at| {
                let meant = at == 0 || !self.not_after.iter().any(|word| word == said[at - 1]);
                meant && begins(phrase, &said[at..])
            })
        };
        phrases.iter().find(stands).map(|phrase| phrase.join(" "))
    }
}

fn sayings(item: &Item<'_, '_>) -> Vec<Vec<String>> {
    let sayings = item.texts().into_iter().map(|text| words(&text.value));
    sayings.filter(|words| !words.is_empty()).collect()
}

/// The words of a text in one form: lower case, "don't" as `dont`, anything but letters, digits and `*` a gap.
fn words(text: &str) -> Vec<String> {
    let plain: String = text
        .chars()
        .take(MAX_TEXT)
        .map(narrow)
        .filter(|letter| !matches!(letter, '\'' | '’' | '‘' | '`'))
        .flat_map(char::to_lowercase)
        .map(|letter| if letter.is_alphanumeric() || letter == '*' { letter } else { ' ' })
        .collect();
    plain.split_whitespace().map(str::to_owned).collect()
}

/// `Ｓ` as `S`.
fn narrow(letter: char) -> char {
    let narrowed = u32::from(letter).checked_sub(0xFEE0).filter(|code| (0x21..=0x7E).contains(code));
    narrowed.and_then(char::from_u32).unwrap_or(letter)
}

/// Do these words begin with the phrase?
fn begins(phrase: &[String], said: &[&str]) -> bool {
    match phrase.split_first() {
        None => true,
        Some((first, rest)) if first == ANY => (0..=MAX_GAP.min(said.len())).any(|gap| begins(rest, &said[gap..])),
        Some((first, rest)) => said.first() == Some(&first.as_str()) && begins(rest, &said[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shipped() -> OptOut {
        let path = "workflows/policies/opt-out.yaml";
        OptOut::load(path, include_str!("../../../workflows/policies/opt-out.yaml")).unwrap()
    }

    #[test]
    fn an_opt_out_names_the_word_of_the_policy_and_nothing_of_the_text() {
        assert_eq!(shipped().hear("STOP!! love, Ada"), Heard::Other, "a name is no filler");
        assert_eq!(shipped().hear("Please STOP, thanks."), Heard::OptOut { by: "stop".into() });
        assert_eq!(shipped().hear("ada here, quit texting me"), Heard::OptOut { by: "quit texting".into() });
    }

    #[test]
    fn an_end_of_payments_is_heard_also_in_a_text_that_ends_texts() {
        assert_eq!(shipped().hear("STOP PAYMENTS"), Heard::StopPayments { by: "stop payments".into() });
        let both = "Stop texting me and stop my payments";
        assert_eq!(shipped().hear(both), Heard::OptOut { by: "stop * texting".into() });
        assert!(shipped().stops_payments(both) && !shipped().stops_payments("stop"));
        assert!(!shipped().stops_payments("don't stop my payments"));
    }

    #[test]
    fn what_is_wrong_with_the_words_is_told_with_its_place() {
        let found = OptOut::load(
            "o.yaml",
            "owner: x\nstatus: fine\ncite: y\nkeyword: [a]\nhelp: []\nphrases: []\nstop-payments: []\n",
        );
        let found: Vec<_> =
            found.unwrap_err().iter().map(|d| d.to_string().lines().next().unwrap().to_owned()).collect();
        assert_eq!(found.len(), 3, "{found:#?}");
        assert!(found[0].starts_with("W102 o.yaml:4:1"), "{found:#?}");
    }

    proptest! {
        #[test]
        fn a_keyword_is_heard_however_it_is_written(
            word in prop::sample::select(vec!["stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe"]),
            upper in prop::collection::vec(any::<bool>(), 12),
            before in "[ .!,\"(]{0,5}", after in "[ .!?,)\"\n]{0,5}",
        ) {
            let letters = word.chars().zip(upper.iter().cycle());
            let written: String = letters.map(|(c, up)| if *up { c.to_ascii_uppercase() } else { c }).collect();
            prop_assert_eq!(shipped().hear(&format!("{before}{written}{after}")), Heard::OptOut { by: word.into() });
        }

        #[test]
        fn any_text_can_be_heard(text in "\\PC*") {
            let _ = shipped().hear(&text);
        }
    }
}
