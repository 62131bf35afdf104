//! UTC microseconds to and from the one RFC 3339 spelling that events carry: `2026-11-24T17:03:00.000000Z`.
//!
//! The calendar is the proleptic Gregorian one, counted in years that begin in March, so that the leap day is
//! a year's last day and needs no case of its own.

use crate::RecordError;

/// 0000-01-01T00:00:00.000000Z, the earliest time with a four-digit year.
pub const MIN_MICROS: i64 = -62_167_219_200_000_000;
/// 9999-12-31T23:59:59.999999Z, the latest one.
pub const MAX_MICROS: i64 = 253_402_300_799_999_999;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// Days in the 400 years after which the calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

/// Writes UTC microseconds since 1970. Errors: R304 outside the years 0000 to 9999.
pub fn to_rfc3339(micros: i64) -> Result<String, RecordError> {
    if !(MIN_MICROS..=MAX_MICROS).contains(&micros) {
        return Err(RecordError::Time);
    }
    let (year, month, day) = civil_from_days(micros.div_euclid(MICROS_PER_DAY));
    let rest = micros.rem_euclid(MICROS_PER_DAY);
    let (seconds, fraction) = (rest / MICROS_PER_SECOND, rest % MICROS_PER_SECOND);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    Ok(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z"))
}

/// Reads exactly what [`to_rfc3339`] writes. Errors: R304 for any other spelling, leap seconds included.
pub fn from_rfc3339(text: &str) -> Result<i64, RecordError> {
    let bytes = text.as_bytes();
    if bytes.len() != 27 {
        return Err(RecordError::Time);
    }
    let number = |from: usize, to: usize| {
        bytes[from..to].iter().try_fold(0, |n: i64, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
    };
    let field = |from, to| number(from, to).ok_or(RecordError::Time);
    let days = days_from_civil(field(0, 4)?, field(5, 7)?, field(8, 10)?);
    let seconds = field(11, 13)? * 3600 + field(14, 16)? * 60 + field(17, 19)?;
    let micros = days * MICROS_PER_DAY + seconds * MICROS_PER_SECOND + field(20, 26)?;
    // Writing it again refuses wrong separators, 30 February, 25 o'clock and a leap second at one stroke.
    if to_rfc3339(micros)? == text { Ok(micros) } else { Err(RecordError::Time) }
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH;
    let era = days.div_euclid(DAYS_PER_ERA);
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - EPOCH
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_times_read_as_the_calendar_says() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_795_539_780_000_000, "2026-11-24T17:03:00.000000Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
            (MIN_MICROS, "0000-01-01T00:00:00.000000Z"),
            (MAX_MICROS, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(to_rfc3339(micros).unwrap(), text);
            assert_eq!(from_rfc3339(text).unwrap(), micros);
        }
        assert!(to_rfc3339(MIN_MICROS - 1).is_err());
        assert!(to_rfc3339(MAX_MICROS + 1).is_err());
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "2026-11-24T17:03:00Z",
            "2026-11-24T17:03:00.000000+00:00",
            "2026-11-24t17:03:00.000000Z",
            "2026-11-24 17:03:00.000000Z",
            "2026-02-29T00:00:00.000000Z",
            "2026-00-10T00:00:00.000000Z",
            "2026-13-10T00:00:00.000000Z",
            "2026-01-01T24:00:00.000000Z",
            "2016-12-31T23:59:60.000000Z",
            "2026-01-01T00:00:00.00000éZ",
            "+026-01-01T00:00:00.000000Z",
            "",
        ] {
            assert_eq!(from_rfc3339(text), Err(RecordError::Time), "{text}");
        }
    }

    #[test]
    fn every_day_follows_the_one_before_it() {
        let mut previous = civil_from_days(MIN_MICROS / MICROS_PER_DAY);
        for day in MIN_MICROS / MICROS_PER_DAY + 1..=MAX_MICROS / MICROS_PER_DAY {
            let (y, m, d) = civil_from_days(day);
            let leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
            let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            let expected = match previous {
                (y, m, d) if d < 28 => (y, m, d + 1),
                (py, 12, 31) => (py + 1, 1, 1),
                (py, pm, pd) if (y, m) == (py, pm) => (py, pm, pd + 1),
                (py, pm, pd) => {
                    assert!(pd >= 28, "{py}-{pm} ended on {pd}");
                    (py, pm + 1, 1)
                }
            };
            assert_eq!((y, m, d), expected);
            assert!(d <= lengths[usize::try_from(m).unwrap() - 1]);
            assert_eq!(days_from_civil(y, m, d), day);
            previous = (y, m, d);
        }
    }

    proptest! {
        #[test]
        fn there_and_back(micros in MIN_MICROS..=MAX_MICROS) {
            prop_assert_eq!(from_rfc3339(&to_rfc3339(micros).unwrap()).unwrap(), micros);
        }

        #[test]
        fn text_order_is_time_order(a in MIN_MICROS..=MAX_MICROS, b in MIN_MICROS..=MAX_MICROS) {
            prop_assert_eq!(to_rfc3339(a).unwrap().cmp(&to_rfc3339(b).unwrap()), a.cmp(&b));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,30}", digits in "[0-9]{27}") {
            let _ = from_rfc3339(&text);
            let _ = from_rfc3339(&digits);
        }
    }
}
