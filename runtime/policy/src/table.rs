//! Tables beside the policies: what must come out, written by whoever answers for it, played against what is in force.
//!
//! ```yaml
//! about: Hours, to the second
//! customers:
//!   patient: { jurisdictions: [US, US-IL], zones: { address: America/Chicago } }
//! contacts:
//!   - { customer: patient, purpose: billing, channel: sms, at: 2026-03-02T08:00:00-06:00, expect: permit }
//!   - { customer: patient, purpose: billing, channel: sms, at: 2026-03-02T07:59:59-06:00,
//!       expect: defer, until: 2026-03-02T08:00:00-06:00, by: [tcpa.hours] }
//! texts:
//!   - { text: "STOP!", expect: opt-out }
//! risk:
//!   - { signals: { sim-swap: raised }, expect: refuse, points: 80 }
//! ```

mod case;

use std::collections::{BTreeMap, BTreeSet};

use selvedge_workflow::source::{Diagnostic, Document, Fields, Item, Reader, Span, did_you_mean};

use crate::code;
use crate::decision::{Decision, Reason, Verdict};
use crate::opt_out::OptOut;
use crate::risk::{Action, Finding, Risk};
use crate::rules::RuleSet;

pub use case::Case;
use case::{CASE, moment, utc};

/// All that tables are played against.
#[derive(Clone, Debug)]
pub struct Policies {
    /// The contact rules.
    pub rules: RuleSet,
    /// The risk policy.
    pub risk: Risk,
    /// The words that end consent.
    pub opt_out: OptOut,
}

/// A table that was played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// What the table is about.
    pub about: String,
    /// How many rows it has.
    pub rows: usize,
    /// The rows that did not come out as they say, each at its place.
    pub failed: Vec<Diagnostic>,
    /// What the rows show of each rule.
    pub shown: Shown,
}

/// Which rules some row shows at work. A rule that is in neither set of any table is law that nobody has seen apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The rules that say "no" or "not yet" in a row that names them and comes out.
    pub objecting: BTreeSet<String>,
    /// The rules that are asked in a row that comes out, and let the contact pass.
    pub passing: BTreeSet<String>,
}

impl Shown {
    fn note(&mut self, decision: &Decision, named: &BTreeSet<String>) {
        for Reason { rule, verdict, .. } in &decision.reasons {
            if *verdict == Verdict::Permit {
                self.passing.insert(rule.clone());
            } else if named.contains(rule) {
                self.objecting.insert(rule.clone());
            }
        }
    }
}

impl Policies {
    /// Reads the rules and policies out of the files of a `workflows/` folder, tables left aside.
    ///
    /// # Errors
    /// Every mistake in every file, each with its line and column.
    pub fn load(files: &BTreeMap<String, String>) -> Result<Policies, Vec<Diagnostic>> {
        let rules = files.iter().filter(|(path, _)| Policies::is_pack(path));
        let rules = RuleSet::load(&rules.map(|(path, text)| (path.clone(), text.clone())).collect());
        let text = |path: &str| files.get(path).map_or("", String::as_str);
        let risk = Risk::load("policies/risk.yaml", text("policies/risk.yaml"));
        let opt_out = OptOut::load("policies/opt-out.yaml", text("policies/opt-out.yaml"));
        match (rules, risk, opt_out) {
            (Ok(rules), Ok(risk), Ok(opt_out)) => Ok(Policies { rules, risk, opt_out }),
            (rules, risk, opt_out) => {
                let found = [rules.err(), risk.err(), opt_out.err()];
                Err(found.into_iter().flatten().flatten().collect())
            }
        }
    }

    /// Is this file, by its path below `workflows/`, a pack of contact rules?
    #[must_use]
    pub fn is_pack(path: &str) -> bool {
        path.starts_with("rules/") && path.ends_with(".yaml") && !Policies::is_table(path)
    }

    /// Is this file, by its path below `workflows/`, a table and no policy?
    #[must_use]
    pub fn is_table(path: &str) -> bool {
        path.starts_with("rules/tests/") || path.starts_with("policies/tests/")
    }

    /// Plays one table.
    ///
    /// # Errors
    /// What is wrong with the table as it is written; rows that do not come out are no errors, but [`Played::failed`].
    pub fn run(&self, name: &str, text: &str) -> Result<Played, Vec<Diagnostic>> {
        let tree = Document::parse(name, text)?;
        let reader = Reader::new();
        let file = reader.item(&tree, "a table").map(&["about", "customers", "contacts", "texts", "risk"]);
        let about = file.required("about").text();
        let customers: BTreeMap<String, Case> = file
            .optional("customers")
            .entries()
            .into_iter()
            .map(|(name, item)| {
                let case = Case::read(&item.map(&CASE), &Case::default());
                (name.value, case)
            })
            .collect();
        let mut known = BTreeSet::new();
        customers.values().for_each(|case| self.ask_known(case, &file, &reader, &mut known));

        let contacts = file.optional("contacts").items();
        let texts = file.optional("texts").items();
        let risks = file.optional("risk").items();
        let rows = contacts.len() + texts.len() + risks.len();
        let mut failed = Vec::new();
        let mut shown = Shown::default();
        failed
            .extend(contacts.iter().filter_map(|item| self.contact(item, &customers, &reader, &mut known, &mut shown)));
        failed.extend(texts.iter().filter_map(|item| self.text(item)));
        failed.extend(risks.iter().filter_map(|item| self.risk(item, &reader)));
        reader.finish(about).map(|about| Played { about: about.value, rows, failed, shown })
    }

    fn contact(
        &self,
        item: &Item<'_, '_>,
        customers: &BTreeMap<String, Case>,
        reader: &Reader,
        known: &mut BTreeSet<String>,
        shown: &mut Shown,
    ) -> Option<Diagnostic> {
        let own = ["customer", "with", "purpose", "channel", "sender", "account", "at", "expect", "until", "by", "why"];
        let row = item.map(&own);
        let customer = row.required("customer").text();
        let base = customer.as_ref().and_then(|name| customers.get(&name.value));
        if let (Some(name), None) = (&customer, base) {
            let message = format!("there is no customer `{}` in this table", name.value);
            let help = did_you_mean(&name.value, customers.keys().map(String::as_str));
            reader.report(Diagnostic::new(code::UNKNOWN_IN_TABLE, message).at(&name.span).maybe_help(help));
        }
        let with = row.optional("with");
        let case = if with.is_given() { Case::read(&with.map(&CASE), base?) } else { base?.clone() };
        self.ask_known(&case, &row, reader, known);
        let (purpose, channel) = (row.required("purpose").text(), row.required("channel").text());
        let (sender, account) = (row.optional("sender").text(), row.optional("account").text());
        let at = moment(&row.required("at"));
        let expect = row.required("expect").one_of(&["permit", "deny", "defer"]);
        let until = moment(&row.optional("until"));
        let by: BTreeSet<String> = row.optional("by").texts().into_iter().map(|rule| rule.value).collect();

        let text = |value: &Option<selvedge_workflow::source::Spanned<String>>| value.as_ref().map(|t| t.value.clone());
        let case = Case { sender: text(&sender).unwrap_or_default(), account: text(&account), ..case };
        let decision = self.rules.decide_case(&case, &purpose?.value, &channel?.value, at?.value);
        let expect = expect?.value;
        let wanted = (expect.as_str(), until.map(|until| until.value));
        let came = verdict(decision.verdict);
        let objected = objectors(&decision);
        if came == wanted && (objected == by || (by.is_empty() && expect == "permit")) {
            shown.note(&decision, &by);
            return None;
        }
        let says = decision.reasons.iter().filter(|reason| reason.verdict != Verdict::Permit);
        let says: Vec<String> = says.map(|reason| format!("{}: {}", reason.rule, reason.says)).collect();
        let message =
            format!("{} is expected, and what comes out is {}", outcome(wanted, &by), outcome(came, &objected));
        Some(failure(item, message, (!says.is_empty()).then(|| says.join("; "))))
    }

    fn text(&self, item: &Item<'_, '_>) -> Option<Diagnostic> {
        let row = item.map(&["text", "expect"]);
        let (text, expect) = (
            row.required("text").text(),
            row.required("expect").one_of(&["opt-out", "stop-payments", "help", "other"]),
        );
        let (text, expect) = (text?.value, expect?.value);
        let heard = self.opt_out.hear(&text);
        let message = format!("`{expect}` is expected of `{text}`, and what is heard is `{}`", heard.name());
        (heard.name() != expect).then(|| failure(item, message, None))
    }

    fn risk(&self, item: &Item<'_, '_>, reader: &Reader) -> Option<Diagnostic> {
        let row = item.map(&["signals", "expect", "points"]);
        let known: Vec<&str> = self.risk.rules().iter().map(|rule| rule.signal.as_str()).collect();
        let mut signals = Vec::new();
        for (name, found) in row.required("signals").entries() {
            if !known.contains(&name.value.as_str()) {
                let message = format!("no risk rule asks about the signal `{}`", name.value);
                let help = did_you_mean(&name.value, known.iter().copied());
                reader.report(Diagnostic::new(code::UNKNOWN_IN_TABLE, message).at(&name.span).maybe_help(help));
            }
            let finding = match found.one_of(&["clear", "raised", "missing"])?.value.as_str() {
                "clear" => Finding::Clear,
                "raised" => Finding::Raised,
                _ => Finding::Missing,
            };
            signals.push((name.value, finding));
        }
        let expect = row.required("expect").one_of(&Action::names());
        let points = row.required("points").count(0..=10_000);
        let (expect, points) = (expect?.value, points?.value);
        let signals: Vec<(&str, Finding)> = signals.iter().map(|(name, finding)| (name.as_str(), *finding)).collect();
        let found = self.risk.assess(&signals);
        if found.action.name() == expect && i64::from(found.points) == points {
            return None;
        }
        let came = format!("`{}` by {} points", found.action.name(), found.points);
        let says = found.reasons.iter().filter(|reason| reason.points > 0).map(|reason| reason.says.clone());
        let message = format!("`{expect}` by {points} points is expected, and what comes out is {came}");
        Some(failure(item, message, Some(says.collect::<Vec<_>>().join(" "))))
    }

    /// A flag or a note that no rule asks about changes nothing, and a table that counts on it is mistaken.
    fn ask_known(&self, case: &Case, at: &Fields<'_, '_>, reader: &Reader, told: &mut BTreeSet<String>) {
        let flags = case.state.flags.iter().map(|flag| ("flag", flag, self.rules.flags()));
        let notes = case.state.notes.iter().map(|note| ("note", &note.what, self.rules.notes()));
        for (kind, name, known) in flags.chain(notes) {
            if known.contains(name.as_str()) || !told.insert(name.clone()) {
                continue;
            }
            let message = format!("no rule asks about the {kind} `{name}`");
            let diagnostic = Diagnostic::new(code::UNKNOWN_IN_TABLE, message);
            let diagnostic = at.span().map_or(diagnostic.clone(), |span| diagnostic.at(span));
            reader.report(diagnostic.maybe_help(did_you_mean(name, known)));
        }
    }
}

fn failure(item: &Item<'_, '_>, message: String, because: Option<String>) -> Diagnostic {
    let place = item.span().unwrap_or_else(|| Span::start_of("a table"));
    Diagnostic::new(code::ROW_FAILED, message).at(&place).maybe_help(because)
}

fn verdict(verdict: Verdict) -> (&'static str, Option<i64>) {
    match verdict {
        Verdict::Permit => ("permit", None),
        Verdict::Deny => ("deny", None),
        Verdict::Defer { until } => ("defer", Some(until)),
    }
}

fn objectors(decision: &Decision) -> BTreeSet<String> {
    let objecting = decision.reasons.iter().filter(|reason: &&Reason| reason.verdict != Verdict::Permit);
    objecting.map(|reason| reason.rule.clone()).collect()
}

fn outcome((verdict, until): (&str, Option<i64>), by: &BTreeSet<String>) -> String {
    let until = until.map(|until| format!(" until {}", utc(until))).unwrap_or_default();
    let by: Vec<&str> = by.iter().map(String::as_str).collect();
    let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
    format!("`{verdict}`{until}{by}")
}
