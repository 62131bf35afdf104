//! Hours of the day in the customer's own time, over every clock change.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// How far ahead a moment that suits everybody is looked for.
pub const MAX_DEFER_DAYS: i64 = 14;
/// Days after which each day of the week has come, even where a zone once left out a whole day.
const A_WEEK_AND_MORE: i64 = 9;
/// The days of a week, as rules write them, in the order of [`Hours::week`].
pub(crate) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A part of a day, in local time: `from` is inside, `to` is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// The first moment that is permitted.
    pub from: Time,
    /// The first moment that no longer is.
    pub to: Time,
}

/// A part of each day of the week, in local time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// From Monday on; `None`: nothing of that day.
    week: [Option<Open>; 7],
    /// The same in words, made once.
    words: [String; 7],
}

impl Hours {
    /// Hours that differ by weekday, from Monday on.
    #[must_use]
    pub fn by_day(week: [Option<Open>; 7]) -> Self {
        let words = week.map(|open| match open {
            Some(Open { from, to }) => format!("{} to {}", from.strftime("%H:%M"), to.strftime("%H:%M")),
            None => "no hour of that day".to_owned(),
        });
        Hours { week, words }
    }

    /// The same hours every day.
    #[must_use]
    pub fn daily(from: Time, to: Time) -> Self {
        Hours::by_day([Some(Open { from, to }); 7])
    }

    /// The hours of a weekday in words: `08:00 to 21:00`.
    #[must_use]
    pub fn in_words(&self, day: Weekday) -> &str {
        &self.words[index(day)]
    }

    /// Are all days alike?
    #[must_use]
    pub fn is_daily(&self) -> bool {
        self.week.iter().all(|open| *open == self.week[0])
    }

    /// Is this local moment inside?
    #[must_use]
    pub fn permit_local(&self, local: jiff::civil::DateTime) -> bool {
        self.week[index(local.weekday())].is_some_and(|open| open.from <= local.time() && local.time() < open.to)
    }

    /// Is this instant inside, for a clock in this zone?
    #[must_use]
    pub fn permit(&self, at: Timestamp, zone: &TimeZone) -> bool {
        self.permit_local(zone.to_datetime(at))
    }

    /// The earliest instant from `at` on that is inside.
    ///
    /// The permitted instants are stretches, and a stretch can begin in two ways only: the local clock reaches a
    /// day's `from`, or the clocks are changed. So the answer is `at` itself or one of those moments, and each is
    /// tested. The begins are tried day by day, and a later day cannot begin earlier.
    #[must_use]
    pub fn earliest(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.permit(at, zone) {
            return Some(at);
        }
        let suits = |moment: &Timestamp| *moment >= at && self.permit(*moment, zone);
        let change = zone.following(at).take(2).map(|change| change.timestamp()).find(suits);
        let today = zone.to_datetime(at).date();
        let begin = (0..A_WEEK_AND_MORE).find_map(|days| {
            let day = today.saturating_add(days.days());
            let local = zone.to_ambiguous_timestamp(day.to_datetime(self.week[index(day.weekday())]?.from));
            [local.earlier().ok(), local.later().ok()].into_iter().flatten().filter(suits).min()
        });
        begin.into_iter().chain(change).min()
    }
}

fn index(day: Weekday) -> usize {
    day.to_monday_zero_offset().unsigned_abs().into()
}

/// The earliest instant from `begin` on that is inside all of these hours, each in its zone; `None` if there is none
/// within [`MAX_DEFER_DAYS`] of `at`.
pub(crate) fn earliest_for_all(windows: &[(&Hours, &TimeZone)], begin: Timestamp, at: Timestamp) -> Option<Timestamp> {
    let horizon = at.checked_add((MAX_DEFER_DAYS * 24).hours()).ok()?;
    let mut moment = begin;
    // Each window moves the moment to its own earliest one, which can only be too early for another window,
    // never too late for all. When nobody moves it any more, it suits everybody.
    while moment <= horizon {
        let mut latest = moment;
        for (hours, zone) in windows {
            latest = latest.max(hours.earliest(moment, zone)?);
        }
        if latest == moment {
            return Some(moment);
        }
        moment = latest;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hours(from: i8, to: i8) -> Hours {
        Hours::daily(Time::constant(from, 30, 0, 0), Time::constant(to, 0, 0, 0))
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn hours_that_begin_in_the_lost_hour_begin_when_the_clock_has_jumped() {
        let chicago = TimeZone::get("America/Chicago").unwrap();
        // 02:00 becomes 03:00 on 2026-03-08, so there is no 02:30.
        let found = hours(2, 21).earliest(at("2026-03-08T01:00:00-06:00"), &chicago);
        assert_eq!(found, Some(at("2026-03-08T03:00:00-05:00")));
    }

    #[test]
    fn hours_that_begin_in_the_doubled_hour_begin_twice() {
        let chicago = TimeZone::get("America/Chicago").unwrap();
        // 02:00 becomes 01:00 on 2026-11-01, so 01:30 comes twice.
        let hours = hours(1, 21);
        assert_eq!(hours.earliest(at("2026-11-01T00:10:00-05:00"), &chicago), Some(at("2026-11-01T01:30:00-05:00")));
        assert_eq!(hours.earliest(at("2026-11-01T01:10:00-06:00"), &chicago), Some(at("2026-11-01T01:30:00-06:00")));
    }

    #[test]
    fn a_day_that_a_zone_left_out_is_skipped() {
        // Samoa had no 30 December 2011.
        let apia = TimeZone::get("Pacific/Apia").unwrap();
        let found = hours(8, 21).earliest(at("2011-12-29T22:00:00-10:00"), &apia);
        assert_eq!(found, Some(at("2011-12-31T08:30:00+14:00")));
    }

    #[test]
    fn hours_that_never_meet_have_no_moment() {
        let zone = |name| TimeZone::get(name).unwrap();
        let (hours, new_york, tokyo) = (hours(8, 10), zone("America/New_York"), zone("Asia/Tokyo"));
        let windows = [(&hours, &new_york), (&hours, &tokyo)];
        let noon = at("2026-03-02T12:00:00Z");
        assert_eq!(earliest_for_all(&windows, noon, noon), None);
    }

    #[test]
    fn hours_can_differ_by_weekday_and_leave_days_out() {
        let chicago = TimeZone::get("America/Chicago").unwrap();
        let open = |from, to| Some(Open { from: Time::constant(from, 0, 0, 0), to: Time::constant(to, 0, 0, 0) });
        let mut week = [open(9, 21); 7];
        (week[5], week[6]) = (open(12, 21), None);
        let hours = Hours::by_day(week);
        // 2026-03-06 is a Friday; on the Sunday the clocks change.
        let table = [
            ("2026-03-06T20:59:59-06:00", "2026-03-06T20:59:59-06:00"),
            ("2026-03-06T21:00:00-06:00", "2026-03-07T12:00:00-06:00"),
            ("2026-03-07T21:00:00-06:00", "2026-03-09T09:00:00-05:00"),
            ("2026-03-08T12:00:00-05:00", "2026-03-09T09:00:00-05:00"),
        ];
        for (begin, found) in table {
            assert_eq!(hours.earliest(at(begin), &chicago), Some(at(found)), "{begin}");
        }
        assert_eq!(Hours::by_day([None; 7]).earliest(at("2026-03-06T12:00:00Z"), &chicago), None);
    }

    const ZONES: [&str; 6] = [
        "America/New_York",
        "America/Chicago",
        "America/Phoenix",
        "America/St_Johns",
        "Pacific/Honolulu",
        "Australia/Lord_Howe",
    ];

    proptest! {
        /// The law of deferring: the moment found suits everybody, and no quarter of an hour before it did.
        #[test]
        fn the_moment_found_is_inside_and_the_first_one(
            // Any minute of 2026, which has every clock change.
            minute in 0i64..525_600,
            one in (0usize..6, 0i8..12, 13i8..24),
            other in (0usize..6, 0i8..12, 13i8..24),
        ) {
            let begin = at("2026-01-01T00:00:00Z").checked_add(minute.minutes()).unwrap();
            let windows = [one, other].map(|(zone, from, to)| (hours(from, to), TimeZone::get(ZONES[zone]).unwrap()));
            let windows: Vec<_> = windows.iter().map(|(hours, zone)| (hours, zone)).collect();
            let all = |moment| windows.iter().all(|(hours, zone)| hours.permit(moment, zone));

            let end = begin.checked_add((MAX_DEFER_DAYS * 24).hours()).unwrap();
            let found = earliest_for_all(&windows, begin, begin);
            if let Some(found) = found {
                prop_assert!(found >= begin && all(found));
            }
            let mut moment = begin;
            while moment < found.unwrap_or(end) {
                prop_assert!(!all(moment), "{moment} suits as well");
                moment = moment.checked_add(15.minutes()).unwrap();
            }
        }
    }
}
