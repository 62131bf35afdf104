//! Five fields, as in crontab(5): minute, hour, day of the month, month, day of the week. Of days, either is enough where
//! both are given; Sunday is 0 and 7. A parser of our own, because those to be had count weekdays otherwise or bring
//! another calendar library.

use jiff::civil::{Date, DateTime};

/// The longest expression, in bytes.
const MAX_BYTES: usize = 200;
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// When, in local time. Each field is a set of bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    text: String,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether the field says every one.
    every_day: bool,
    every_weekday: bool,
}

/// A field: its name, its least and greatest value, and words for values from the least one on.
struct Field(&'static str, u32, u32, &'static [&'static str]);

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Cron, String> {
        if text.len() > MAX_BYTES {
            return Err(format!("a time has at most {MAX_BYTES} bytes"));
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(format!("a time has five fields; here are {}", fields.len()));
        };
        let weekdays = Field("day of the week", 0, 7, &WEEKDAYS).read(weekday)?;
        Ok(Cron {
            text: fields.join(" "),
            minutes: Field("minute", 0, 59, &[]).read(minute)?,
            hours: Field("hour", 0, 23, &[]).read(hour)?,
            days: Field("day of the month", 1, 31, &[]).read(day)?,
            months: Field("month", 1, 12, &MONTHS).read(month)?,
            // Sunday is 7 as well.
            weekdays: weekdays | (weekdays >> 7 & 1),
            every_day: day.starts_with('*'),
            every_weekday: weekday.starts_with('*'),
        })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    fn on(&self, date: Date) -> bool {
        let has = |set: u64, value: i8| set >> value & 1 == 1;
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        let fits = match self.every_day || self.every_weekday {
            true => day && weekday,
            false => day || weekday,
        };
        has(self.months, date.month()) && fits
    }

    /// Its times on a day, in order.
    pub fn times_on(&self, date: Date) -> impl Iterator<Item = DateTime> + '_ {
        let hours = (0..24).filter(move |hour| self.on(date) && self.hours >> hour & 1 == 1);
        let minutes = move |hour| (0..60).filter(|minute| self.minutes >> minute & 1 == 1).map(move |m| (hour, m));
        hours.flat_map(minutes).map(move |(hour, minute)| date.at(hour, minute, 0, 0))
    }
}

impl Field {
    /// `*`, `5`, `1-5`, `*/15`, `0-30/10`, `mon,wed`.
    fn read(&self, text: &str) -> Result<u64, String> {
        let Field(name, least, most, _) = self;
        let wrong = |part: &str| format!("`{part}` is no {name}; it is {least} to {most}");
        let mut set = 0;
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, number(step).filter(|step| *step > 0).ok_or_else(|| wrong(part))?),
                None => (part, 1),
            };
            let value = |text: &str| self.value(text).ok_or_else(|| wrong(part));
            let (from, to) = match (range, range.split_once('-')) {
                ("*", _) => (*least, *most),
                (_, Some((from, to))) => (value(from)?, value(to)?),
                // `5/10` is from 5 on.
                (from, None) if part.contains('/') => (value(from)?, *most),
                (only, None) => (value(only)?, value(only)?),
            };
            if from > to {
                return Err(wrong(part));
            }
            set |= (from..=to).step_by(step as usize).fold(0, |set, value| set | 1 << value);
        }
        Ok(set)
    }

    fn value(&self, text: &str) -> Option<u32> {
        let Field(_, least, most, words) = self;
        let word = words.iter().position(|word| word.eq_ignore_ascii_case(text));
        let value = word.and_then(|at| u32::try_from(at).ok()).map(|at| at + least).or_else(|| number(text))?;
        (*least..=*most).contains(&value).then_some(value)
    }
}

fn number(text: &str) -> Option<u32> {
    (text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}
