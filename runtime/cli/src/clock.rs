//! The clock and the source of chance. Only here is the system asked for either.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use selvedge_engine::ports::{Clock, Micros, Random};
use selvedge_record::time::to_rfc3339;
use tokio::sync::watch;

/// A clock that runs by itself and can be moved on: the demonstration's two days.
pub struct StoryClock {
    start: Instant,
    /// What to add to the time since `start`.
    base: watch::Sender<Micros>,
    newest: Mutex<Micros>,
}

impl StoryClock {
    /// Stands at `at` now.
    pub fn at(at: Micros) -> StoryClock {
        StoryClock { start: Instant::now(), base: watch::Sender::new(at), newest: Mutex::new(at) }
    }

    /// Moves the clock on to `until`; never back.
    pub fn move_to(&self, until: Micros) {
        let ahead = until - self.now();
        if ahead > 0 {
            self.base.send_modify(|base| *base += ahead);
        }
    }
}

#[async_trait]
impl Clock for StoryClock {
    fn now(&self) -> Micros {
        let elapsed = i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX / 2);
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        *newest = (*newest).max(*self.base.borrow() + elapsed);
        *newest
    }

    async fn sleep_until(&self, until: Micros) {
        let mut moved = self.base.subscribe();
        loop {
            let left = until - self.now();
            if left <= 0 {
                return;
            }
            let left = std::time::Duration::from_micros(u64::try_from(left).unwrap_or(0));
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                _ = moved.changed() => {}
            }
        }
    }
}

/// A clock that stands still until it is moved: whole months pass while a story is told.
pub struct StillClock(watch::Sender<Micros>);

impl StillClock {
    /// Stands at `at`.
    pub fn at(at: Micros) -> StillClock {
        StillClock(watch::Sender::new(at))
    }

    /// Moves the clock on to `until`; never back.
    pub fn move_to(&self, until: Micros) {
        self.0.send_modify(|now| *now = (*now).max(until));
    }
}

#[async_trait]
impl Clock for StillClock {
    fn now(&self) -> Micros {
        *self.0.borrow()
    }

    async fn sleep_until(&self, until: Micros) {
        // The sender lives as long as the clock: nothing can go wrong with waiting.
        let _ = self.0.subscribe().wait_for(|now| *now >= until).await;
    }
}

/// What the system says that time it is, in UTC microseconds.
#[expect(clippy::disallowed_methods, reason = "the wiring is where the clock is read")]
pub fn wall() -> Micros {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().and_then(|since| Micros::try_from(since.as_micros()).ok()).unwrap_or(0)
}

/// The machine's clock.
pub struct SystemClock {
    /// The latest time that was said.
    newest: Mutex<Micros>,
}

impl SystemClock {
    /// Says no time before `newest`: the one of the newest event.
    pub fn not_before(newest: Micros) -> SystemClock {
        SystemClock { newest: Mutex::new(newest) }
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Micros {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        *newest = (*newest).max(wall());
        *newest
    }

    fn behind(&self) -> Micros {
        (*self.newest.lock().unwrap_or_else(PoisonError::into_inner) - wall()).max(0)
    }

    async fn sleep_until(&self, until: Micros) {
        // In steps: a machine that slept, or whose clock was set, has another time afterwards.
        const STEP: Micros = 60_000_000;
        loop {
            let left = until - self.now();
            if left <= 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_micros(left.min(STEP).unsigned_abs())).await;
        }
    }
}

/// The system's randomness.
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, out: &mut [u8]) {
        // INVARIANT: without randomness no key is safe; the process must not go on with any other answer.
        if aws_lc_rs::rand::fill(out).is_err() {
            eprintln!("the system gives no randomness");
            std::process::abort();
        }
    }
}

/// The time zone in which whoever reads a terminal lives.
pub struct Zone(Option<TimeZone>);

impl Zone {
    /// `TZ`, or what the system's clock is set to; where neither names a zone, times are told in UTC alone.
    pub fn of_this_machine() -> Zone {
        let linked = || {
            let link = std::fs::read_link("/etc/localtime").ok()?;
            Some(link.to_str()?.split_once("zoneinfo/")?.1.to_owned())
        };
        Zone::named(&std::env::var("TZ").ok().or_else(linked).unwrap_or_default())
    }

    /// A zone by its IANA name: `America/Chicago`.
    pub fn named(name: &str) -> Zone {
        Zone(TimeZone::get(name).ok().filter(|zone| !matches!(zone.iana_name(), None | Some("UTC" | "Etc/UTC"))))
    }

    /// A time in UTC, and beside it in this zone: `2026-11-23T22:00:00.000000Z (Mon 16:00 in America/Chicago)`.
    pub fn tell(&self, at: Micros) -> miette::Result<String> {
        let utc = to_rfc3339(at)?;
        let local = |zone: &TimeZone| {
            let local = Timestamp::from_microsecond(at).ok()?.to_zoned(zone.clone());
            Some(format!("{utc} ({} in {})", local.strftime("%a %H:%M"), zone.iana_name()?))
        };
        Ok(self.0.as_ref().and_then(local).unwrap_or(utc.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_sleeps_two_days_wakes_when_the_clock_is_moved() {
        let clock = std::sync::Arc::new(StoryClock::at(1_000_000));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(1_000_000 + 2 * 86_400_000_000).await }
        });
        tokio::task::yield_now().await;
        clock.move_to(1_000_000 + 2 * 86_400_000_000);
        sleeper.await.unwrap();
    }

    #[tokio::test]
    async fn a_still_clock_moves_only_when_it_is_moved() {
        let clock = StillClock::at(5_000_000);
        assert_eq!((clock.now(), clock.now()), (5_000_000, 5_000_000));
        clock.move_to(9_000_000);
        clock.move_to(6_000_000);
        clock.sleep_until(9_000_000).await;
        assert_eq!(clock.now(), 9_000_000);
    }

    #[test]
    fn the_clock_never_goes_back() {
        let clock = StoryClock::at(5_000_000);
        clock.move_to(9_000_000);
        clock.move_to(6_000_000);
        assert!(clock.now() >= 9_000_000);
    }

    #[test]
    fn a_time_is_told_in_utc_and_where_its_reader_lives() {
        let at = 1_795_471_200_000_000;
        assert_eq!(
            Zone::named("America/Chicago").tell(at).unwrap(),
            "2026-11-23T22:00:00.000000Z (Mon 16:00 in America/Chicago)"
        );
        for unknown in ["UTC", "", ":/etc/nonsense"] {
            assert_eq!(Zone::named(unknown).tell(at).unwrap(), "2026-11-23T22:00:00.000000Z", "{unknown}");
        }
    }
}
