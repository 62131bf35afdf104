//! What came of all customers together. Sums only: it does not matter in which order they are counted.

use std::collections::BTreeMap;

use selvedge_engine::money::Money;
use serde_json::{Value, json};

use super::super::rehearsal::told::Decided;

/// How many paths are printed.
const SHOWN: usize = 12;

/// What came of one customer.
pub struct Outcome {
    /// The steps that the run came to.
    pub path: Vec<String>,
    /// `completed`, `failed`, `declined`, or that a person decides.
    pub ending: String,
    /// What was no plain yes.
    pub decisions: Vec<Decided>,
    /// Messages that went out.
    pub contacts: usize,
    /// The SMS parts that they were sent in.
    pub parts: usize,
    /// Calls of verifiers.
    pub lookups: usize,
    /// Money that was taken.
    pub charges: Vec<Money>,
    /// Events that were written.
    pub events: usize,
}

/// The sums.
#[derive(Default)]
pub struct Tally {
    customers: usize,
    /// Events in all records together.
    pub events: usize,
    endings: BTreeMap<String, usize>,
    /// Path and ending.
    paths: BTreeMap<String, usize>,
    /// Verdict and rule.
    refusals: BTreeMap<(&'static str, String), usize>,
    /// How many customers got so many messages.
    contacts: BTreeMap<usize, usize>,
    parts: usize,
    lookups: usize,
    /// Number and minor units, by currency.
    money: BTreeMap<String, (usize, i64)>,
}

impl Tally {
    /// Counts one customer.
    pub fn count(&mut self, outcome: Outcome) {
        self.customers += 1;
        self.events += outcome.events;
        *self.paths.entry(format!("{} ({})", outcome.path.join(" → "), outcome.ending)).or_default() += 1;
        *self.endings.entry(outcome.ending).or_default() += 1;
        for decided in outcome.decisions {
            for rule in decided.rules {
                *self.refusals.entry((decided.verdict, rule)).or_default() += 1;
            }
        }
        *self.contacts.entry(outcome.contacts).or_default() += 1;
        self.parts += outcome.parts;
        self.lookups += outcome.lookups;
        for money in outcome.charges {
            let sum = self.money.entry(money.currency).or_default();
            *sum = (sum.0 + 1, sum.1.saturating_add(money.minor));
        }
    }

    /// Adds what another one counted.
    pub fn add(&mut self, other: Tally) {
        fn sum<K: Ord>(ours: &mut BTreeMap<K, usize>, theirs: BTreeMap<K, usize>) {
            for (key, count) in theirs {
                *ours.entry(key).or_default() += count;
            }
        }
        self.customers += other.customers;
        self.events += other.events;
        sum(&mut self.endings, other.endings);
        sum(&mut self.paths, other.paths);
        sum(&mut self.refusals, other.refusals);
        sum(&mut self.contacts, other.contacts);
        self.parts += other.parts;
        self.lookups += other.lookups;
        for (currency, (count, minor)) in other.money {
            let sum = self.money.entry(currency).or_default();
            *sum = (sum.0 + count, sum.1.saturating_add(minor));
        }
    }

    /// The paths, the most walked first.
    fn paths(&self) -> Vec<(&String, usize)> {
        let mut paths: Vec<(&String, usize)> = self.paths.iter().map(|(path, count)| (path, *count)).collect();
        paths.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        paths
    }

    /// All of it as data.
    pub fn json(&self, workflow: &str, seed: u64) -> Value {
        let paths = self.paths().into_iter().map(|(path, count)| json!({ "path": path, "customers": count }));
        let refusals = self.refusals.iter();
        let refusals = refusals.map(|((verdict, rule), n)| json!({ "verdict": verdict, "rule": rule, "times": n }));
        let money = self.money.iter();
        let money = money.map(|(currency, (n, minor))| json!({ "currency": currency, "charges": n, "minor": minor }));
        json!({
            "workflow": workflow,
            "seed": seed,
            "customers": self.customers,
            "endings": self.endings,
            "paths": paths.collect::<Vec<_>>(),
            "refusals": refusals.collect::<Vec<_>>(),
            "contacts": self.contacts.iter().map(|(n, customers)| json!({ "messages": n, "customers": customers })).collect::<Vec<_>>(),
            "money": money.collect::<Vec<_>>(),
            "cost": { "sms_parts": self.parts, "lookups": self.lookups, "charges": self.money.values().map(|(n, _)| n).sum::<usize>() },
        })
    }

    /// All of it in words.
    pub fn print(&self, workflow: &str, seed: u64) {
        say!("{workflow}: {} made-up customers, seed {seed}", self.customers);
        let of_all = |count: usize| {
            let permille = count * 1000 / self.customers.max(1);
            format!("{count:>8}  {:>3}.{} %", permille / 10, permille % 10)
        };
        say!("\nHow it ended");
        self.endings.iter().for_each(|(ending, count)| say!("{}  {ending}", of_all(*count)));
        say!("\nPaths taken");
        let paths = self.paths();
        paths.iter().take(SHOWN).for_each(|(path, count)| say!("{}  {path}", of_all(*count)));
        if paths.len() > SHOWN {
            let rest: usize = paths[SHOWN..].iter().map(|(_, count)| count).sum();
            say!("{}  on {} other paths", of_all(rest), paths.len() - SHOWN);
        }
        say!("\nDecisions that were no plain yes");
        self.refusals.iter().for_each(|((verdict, rule), n)| say!("{n:>8}  {verdict} by {rule}"));
        say!("\nMessages per customer");
        self.contacts.iter().for_each(|(n, customers)| say!("{}  {n}", of_all(*customers)));
        say!("\nMoney taken, and what it took");
        for (currency, (count, minor)) in &self.money {
            let sum = Money { minor: *minor, currency: currency.clone() };
            say!("{count:>8}  charges, {} in all", sum.in_words());
        }
        say!("{:>8}  SMS parts", self.parts);
        say!("{:>8}  lookups", self.lookups);
    }
}
