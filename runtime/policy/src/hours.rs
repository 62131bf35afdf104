//! Hours of the day in the customer's own time, over every clock change.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// How far ahead a moment that suits everybody is looked for.
pub const MAX_DEFER_DAYS: i64 = 14;

/// A part of every day, in local time: `from` is inside, `to` is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// The first moment that is permitted.
    pub from: Time,
    /// The first moment that no longer is.
    pub to: Time,
}

impl Hours {
    /// Is this instant inside, for a clock in this zone?
    #[must_use]
    pub fn permit(&self, at: Timestamp, zone: &TimeZone) -> bool {
        let local = zone.to_datetime(at).time();
        self.from <= local && local < self.to
    }

    /// The earliest instant from `at` on that is inside.
    ///
    /// The permitted instants are stretches, and a stretch can begin in two ways only: the local clock reaches
    /// `from`, or the clocks are changed. So the answer is `at` itself or one of those moments, and each is
    /// tested. Today, tomorrow and the day after suffice even where a zone once left out a whole day.
    #[must_use]
    pub fn earliest(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let today = zone.to_datetime(at).date();
        let begins = (0..3).flat_map(|days| {
            let local = zone.to_ambiguous_timestamp(today.saturating_add(days.days()).to_datetime(self.from));
            [local.earlier().ok(), local.later().ok()]
        });
        let changes = zone.following(at).take(2).map(|change| Some(change.timestamp()));
        begins
            .chain(changes)
            .chain([Some(at)])
            .flatten()
            .filter(|moment| *moment >= at && self.permit(*moment, zone))
            .min()
    }
}

/// The earliest instant from `at` on that is inside all of these hours, each in its zone; `None` if there is none
/// within [`MAX_DEFER_DAYS`].
pub(crate) fn earliest_for_all(windows: &[(Hours, TimeZone)], at: Timestamp) -> Option<Timestamp> {
    let horizon = at.checked_add((MAX_DEFER_DAYS * 24).hours()).ok()?;
    let mut moment = at;
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
        Hours { from: Time::constant(from, 30, 0, 0), to: Time::constant(to, 0, 0, 0) }
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
        let windows = [(hours(8, 10), zone("America/New_York")), (hours(8, 10), zone("Asia/Tokyo"))];
        assert_eq!(earliest_for_all(&windows, at("2026-03-02T12:00:00Z")), None);
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
            let all = |moment| windows.iter().all(|(hours, zone)| hours.permit(moment, zone));

            let end = begin.checked_add((MAX_DEFER_DAYS * 24).hours()).unwrap();
            let found = earliest_for_all(&windows, begin);
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
