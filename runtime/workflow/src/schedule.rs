//! Schedules (`workflows/schedules.yaml`): when a workflow begins by itself, and with which customers. All of them stand in
//! one file, because who looks for one wants to see what else begins that night; and a workflow's digest, which its runs
//! pin, does not change with the hour at which it begins.
//!
//! ```yaml
//! schedules:
//!   morning-reminders:
//!     workflow: utility-past-due
//!     cron: "30 9 * * mon-fri"        # minute, hour, day of the month, month, day of the week
//!     zone: America/Chicago
//!     where: "bill.due < '2026-11-01'" # or `customers: [c_ada, c_bo]`
//!     missed: last                     # skip · last · { all: 5 }: what becomes of times that nobody was there for
//!     overlap: skip                    # skip · queue · allow: what becomes of a time while the one before still goes
//! ```
//!
//! Local times in a night when clocks change: each fires exactly once. One that the clock jumps over fires when the jump
//! is over, as much later as it stands behind the jump's beginning; one that comes twice fires the first time.

mod cron;

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

pub use self::cron::Cron;
use crate::compile::{DICTIONARY, Files};
use crate::dictionary::{Class, Dictionary, Source};
use crate::expression::{Condition, Type};
use crate::source::{Diagnostic, Document, Item, Reader, Spanned, code, did_you_mean};

/// The file, relative to `workflows/`.
pub const SCHEDULES: &str = "schedules.yaml";
/// Most schedules, and most customers that one lists.
pub const MAX_SCHEDULES: usize = 200;
/// Most customers that a schedule lists.
pub const MAX_CUSTOMERS: usize = 1000;
/// Most missed times that are made up for.
pub const MAX_MISSED: i64 = 100;
/// The fastest pace.
pub const MAX_PACE: i64 = 10_000;
/// A schedule that has no time for so many days never comes.
const MAX_EMPTY_DAYS: u32 = 9 * 366;
/// Classes that no condition over all customers reads.
const SENSITIVE: [Class; 7] =
    [Class::Pan, Class::Sad, Class::Bank, Class::Govid, Class::Phi, Class::Recording, Class::Key];

/// What becomes of times that nobody was there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// Nothing.
    Skip,
    /// The last of them is made up for, unless one is on time.
    Last,
    /// The last so many are made up for.
    All(usize),
}

/// What becomes of a time while what began before still goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// Nothing.
    Skip,
    /// It begins when the one before is over.
    Queue,
    /// It begins.
    Allow,
}

/// With whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// These customers.
    Listed(Vec<String>),
    /// Those for whom this holds then.
    Where(String),
}

/// One schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// The workflow that begins.
    pub workflow: String,
    /// The channel that its interactions are opened on.
    pub channel: String,
    /// When, in local time.
    pub cron: Cron,
    /// Where that is: `America/Chicago`.
    pub zone: String,
    /// With whom.
    pub whom: Whom,
    /// What becomes of missed times.
    pub missed: Missed,
    /// What becomes of times while it still goes.
    pub overlap: Overlap,
    /// Customers taken up within a minute at most.
    pub per_minute: u32,
    /// Interactions open at a time at most.
    pub at_once: u32,
    tz: TimeZone,
}

/// The fields that a condition over all customers may name: theirs, but the sensitive ones.
#[must_use]
pub fn askable(dictionary: &Dictionary) -> BTreeMap<String, Type> {
    let theirs = dictionary.fields.iter().filter(|(_, info)| info.source == Source::Customer);
    let open = theirs.filter(|(_, info)| !SENSITIVE.contains(&info.class));
    open.map(|(path, info)| (path.clone(), Type::of(info.ty))).collect()
}

/// The schedules among the definitions; none where there is no such file.
///
/// # Errors
/// Every mistake in the file, with its place.
pub fn read(files: &Files) -> Result<Vec<Schedule>, Vec<Diagnostic>> {
    let Some(text) = files.get(SCHEDULES) else { return Ok(Vec::new()) };
    let dictionary = Dictionary::read(DICTIONARY, files.get(DICTIONARY).map_or("", String::as_str))?;
    let tree = Document::parse(SCHEDULES, text)?;
    let reader = Reader::new();
    let reading = Reading { reader: &reader, files, askable: askable(&dictionary) };
    let list = reader.item(&tree, "the schedules").map(&["schedules"]).required("schedules");
    let entries = list.entries();
    if let (true, Some(span)) = (entries.len() > MAX_SCHEDULES, list.span()) {
        let message = format!("{} schedules; at most {MAX_SCHEDULES} are taken", entries.len());
        reader.report(Diagnostic::new(code::BEYOND_LIMITS, message).at(&span));
    }
    let schedules = entries.iter().filter_map(|(name, item)| reading.schedule(name, item)).collect();
    reader.finish(Some(schedules))
}

struct Reading<'r> {
    reader: &'r Reader,
    files: &'r Files,
    askable: BTreeMap<String, Type>,
}

impl Reading<'_> {
    fn schedule(&self, name: &Spanned<String>, item: &Item<'_, '_>) -> Option<Schedule> {
        let keys = item.map(&[
            "workflow",
            "cron",
            "zone",
            "customers",
            "where",
            "missed",
            "overlap",
            "channel",
            "per_minute",
            "at_once",
        ]);
        if !is_name(&name.value) {
            let message = "a schedule's name is 1 to 40 lower-case letters, digits and `-`";
            self.reader.report(Diagnostic::new(code::WRONG_TYPE, message).at(&name.span));
        }
        let workflow = keys.required("workflow").text().and_then(|workflow| self.known(workflow));
        let cron = keys.required("cron");
        let cron = cron.text().and_then(|text| match Cron::read(&text.value) {
            Ok(cron) => Some(cron),
            Err(why) => {
                let help = "write minute, hour, day of the month, month and day of the week: `30 9 * * mon-fri`";
                self.reader.report(Diagnostic::new(code::WRONG_TYPE, why).at(&text.span).help(help));
                None
            }
        });
        let zone = keys.required("zone");
        let zone = zone.parsed("a zone such as `America/Chicago`", |zone| {
            TimeZone::get(zone).ok().map(|tz| (zone.to_owned(), tz))
        });
        let missed = keys.required("missed");
        let missed = match missed.value().map(|value| &value.node) {
            Some(crate::source::Node::Map(_)) => {
                let all = missed.map(&["all"]).required("all").count(1..=MAX_MISSED);
                all.map(|all| Missed::All(usize::try_from(all.value).unwrap_or(1)))
            }
            _ => missed
                .one_of(&["skip", "last"])
                .map(|word| if word.value == "skip" { Missed::Skip } else { Missed::Last }),
        };
        let overlap =
            keys.required("overlap").one_of(&["skip", "queue", "allow"]).map(|word| match word.value.as_str() {
                "skip" => Overlap::Skip,
                "queue" => Overlap::Queue,
                _ => Overlap::Allow,
            });
        let pace = |key: &str, usual: u32| {
            let pace = keys.optional(key).count(1..=MAX_PACE);
            pace.and_then(|pace| u32::try_from(pace.value).ok()).unwrap_or(usual)
        };
        let (per_minute, at_once) = (pace("per_minute", 60), pace("at_once", 1000));
        let channel = keys.optional("channel").text().map_or_else(|| "schedule".into(), |channel| channel.value);
        let whom = self.whom(&keys.optional("customers"), &keys.optional("where"), &name.span);
        let (zone, tz) = zone?.value;
        let schedule = Schedule {
            name: name.value.clone(),
            workflow: workflow?,
            channel,
            cron: cron?,
            zone,
            whom: whom?,
            missed: missed?,
            overlap: overlap?,
            per_minute,
            at_once,
            tz,
        };
        if schedule.times(0).next().is_none() {
            let never = Diagnostic::new(code::WRONG_TYPE, "this time never comes");
            self.reader.report(keys.required("cron").span().map_or(never.clone(), |span| never.at(&span)));
        }
        Some(schedule)
    }

    fn known(&self, workflow: Spanned<String>) -> Option<String> {
        if self.files.contains_key(&format!("{}/workflow.yaml", workflow.value)) {
            return Some(workflow.value);
        }
        let names = self.files.keys().filter_map(|path| path.strip_suffix("/workflow.yaml"));
        let message = format!("there is no workflow `{}`", workflow.value);
        let help = did_you_mean(&workflow.value, names);
        self.reader.report(Diagnostic::new(code::UNKNOWN_NAME, message).at(&workflow.span).maybe_help(help));
        None
    }

    fn whom(&self, listed: &Item<'_, '_>, r#where: &Item<'_, '_>, at: &crate::source::Span) -> Option<Whom> {
        match (listed.is_given(), r#where.is_given()) {
            (true, false) => {
                let customers: Vec<String> = listed.texts().into_iter().map(|text| text.value).collect();
                if customers.is_empty() || customers.len() > MAX_CUSTOMERS {
                    return listed.wrong(&format!("a list of 1 to {MAX_CUSTOMERS} customers"));
                }
                Some(Whom::Listed(customers))
            }
            (false, true) => {
                let text = r#where.text()?;
                match Condition::read(&text, &self.askable) {
                    Ok(_) => Some(Whom::Where(text.value)),
                    Err(found) => {
                        found.into_iter().for_each(|wrong| self.reader.report(wrong));
                        None
                    }
                }
            }
            _ => {
                let message = "a schedule needs either `customers` or `where`";
                self.reader.report(Diagnostic::new(code::MISSING_KEY, message).at(at));
                None
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=40).contains(&name.len()) && name.bytes().all(good) && !name.starts_with('-')
}

impl Schedule {
    /// Its times after `after`, in order, in UTC microseconds.
    #[must_use]
    pub fn times(&self, after: i64) -> Times<'_> {
        let local = self.tz.to_datetime(Timestamp::from_microsecond(after).unwrap_or(Timestamp::UNIX_EPOCH));
        // A time of the day before may have been put off to this one.
        let day = local.date().yesterday().unwrap_or(local.date());
        Times { of: self, after, day: Some(day), empty: 0, found: VecDeque::new() }
    }

    /// A time as people there read it: `2026-11-23 09:30 CST`.
    #[must_use]
    pub fn local(&self, at: i64) -> String {
        let at = Timestamp::from_microsecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
        at.to_zoned(self.tz.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
    }
}

/// The times of a schedule.
pub struct Times<'s> {
    of: &'s Schedule,
    after: i64,
    /// The next day to look at; `None` where the calendar ends.
    day: Option<Date>,
    empty: u32,
    found: VecDeque<i64>,
}

impl Times<'_> {
    fn instant(&self, time: jiff::civil::DateTime) -> Option<i64> {
        self.of.tz.to_ambiguous_timestamp(time).compatible().ok().map(Timestamp::as_microsecond)
    }
}

impl Iterator for Times<'_> {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        loop {
            let begins = self.day.and_then(|day| self.instant(day.to_datetime(jiff::civil::Time::midnight())));
            // What days that were not looked at may still bring comes later.
            if self.found.front().is_some_and(|first| begins.is_none_or(|begins| *first < begins)) {
                return self.found.pop_front();
            }
            let day = self.day.filter(|_| self.empty <= MAX_EMPTY_DAYS)?;
            self.day = day.tomorrow().ok();
            let instants = self.of.cron.times_on(day).filter_map(|time| self.instant(time));
            let mut all: Vec<i64> = self.found.iter().copied().chain(instants.filter(|at| *at > self.after)).collect();
            self.empty = if all.is_empty() { self.empty + 1 } else { 0 };
            all.sort_unstable();
            all.dedup();
            self.found = all.into();
        }
    }
}

#[cfg(test)]
mod tests;
