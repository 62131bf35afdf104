use super::*;

fn files(schedule: &str) -> Files {
    let fields = "fields:\n  bill.due: { type: date, class: PII, source: customer, about: a }\n  \
        visit.kind: { type: text, class: PHI, source: customer, about: a }\n";
    Files::from([
        (SCHEDULES.into(), format!("schedules:\n{schedule}")),
        (DICTIONARY.into(), fields.into()),
        ("utility-past-due/workflow.yaml".into(), String::new()),
    ])
}

fn schedule(cron: &str, zone: &str) -> Schedule {
    let text = format!(
        "  s:\n    workflow: utility-past-due\n    cron: \"{cron}\"\n    zone: {zone}\n    customers: [c_ada]\n    \
         missed: skip\n    overlap: skip\n"
    );
    read(&files(&text)).unwrap().remove(0)
}

/// The next times from a time of UTC on, in UTC.
fn next(cron: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let from: Timestamp = from.parse().unwrap();
    let schedule = schedule(cron, zone);
    let times = schedule.times(from.as_microsecond()).take(count);
    times.map(|at| Timestamp::from_microsecond(at).unwrap().strftime("%a %m-%d %H:%M").to_string()).collect()
}

#[test]
fn fields_are_those_of_crontab() {
    let utc = |cron, count| next(cron, "UTC", "2026-11-23T09:30:00Z", count);
    assert_eq!(utc("30 9 * * mon-fri", 2), ["Tue 11-24 09:30", "Wed 11-25 09:30"], "what is now is over");
    assert_eq!(utc("*/20 10 * * *", 4), ["Mon 11-23 10:00", "Mon 11-23 10:20", "Mon 11-23 10:40", "Tue 11-24 10:00"]);
    assert_eq!(utc("0 0 1 jan *", 1), ["Fri 01-01 00:00"]);
    assert_eq!(utc("0 0 1 * 7", 3), ["Sun 11-29 00:00", "Tue 12-01 00:00", "Sun 12-06 00:00"], "either day is enough");
    assert_eq!(utc("0 12 29 2 *", 1), ["Tue 02-29 12:00"], "in a leap year, 2028");
    assert_eq!(utc("5/25 8-9/1 * * 0,3", 2), ["Wed 11-25 08:05", "Wed 11-25 08:30"]);
}

#[test]
fn what_is_no_time_is_told() {
    for (cron, why) in [
        ("* * * *", "five fields; here are 4"),
        ("60 * * * *", "`60` is no minute; it is 0 to 59"),
        ("0 9-8 * * *", "`9-8` is no hour"),
        ("*/0 * * * *", "`*/0` is no minute"),
        ("0 0 * foo *", "`foo` is no month"),
        ("0 0 * * 8", "`8` is no day of the week"),
        ("+1 0 * * *", "`+1` is no minute"),
    ] {
        let told = Cron::read(cron).unwrap_err();
        assert!(told.contains(why), "{cron}: {told}");
    }
}

#[test]
fn a_time_that_the_clock_jumps_over_fires_once_behind_the_jump() {
    // 2026-03-08 in Chicago: 02:00 CST is 03:00 CDT, 08:00 UTC.
    let times = next("30 2 * * *", "America/Chicago", "2026-03-07T00:00:00Z", 3);
    assert_eq!(times, ["Sat 03-07 08:30", "Sun 03-08 08:30", "Mon 03-09 07:30"], "02:30 CST, 03:30 CDT, 02:30 CDT");
    let times = next("*/30 2-3 * * *", "America/Chicago", "2026-03-08T06:00:00Z", 3);
    assert_eq!(times, ["Sun 03-08 08:00", "Sun 03-08 08:30", "Mon 03-09 07:00"], "what falls together fires once");
}

#[test]
fn a_time_that_comes_twice_fires_the_first_time() {
    // 2026-11-01 in Chicago: 02:00 CDT is 01:00 CST, 07:00 UTC.
    let times = next("30 1 * * *", "America/Chicago", "2026-10-31T12:00:00Z", 2);
    assert_eq!(times, ["Sun 11-01 06:30", "Mon 11-02 07:30"]);
    let times = next("0 * * * *", "America/Chicago", "2026-11-01T05:30:00Z", 3);
    assert_eq!(times, ["Sun 11-01 06:00", "Sun 11-01 08:00", "Sun 11-01 09:00"], "01:00 CDT, then 02:00 CST");
}

#[test]
fn a_year_of_local_times_fires_each_exactly_once_and_in_order() {
    for zone in ["America/Chicago", "Europe/London", "Australia/Lord_Howe", "Pacific/Apia", "UTC"] {
        let schedule = schedule("17 3 * * *", zone);
        let from: Timestamp = "2025-12-31T23:59:00Z".parse().unwrap();
        let times: Vec<i64> = schedule.times(from.as_microsecond()).take(365).collect();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{zone}");
        let mut days: Vec<String> = times.iter().map(|at| schedule.local(*at)[..10].to_owned()).collect();
        days.dedup();
        assert_eq!(days.len(), 365, "{zone}");
    }
}

#[test]
fn every_slip_is_told_with_its_place() {
    let text = "  Morning:\n    workflow: utility-pastdue\n    cron: \"0 0 31 2 *\"\n    zone: Mars/Olympus\n    \
        where: \"visit.kind == 'x'\"\n    missed: { all: 500 }\n    overlap: never\n  other:\n    workflow: utility-past-due\n    \
        cron: \"0 0 31 2 *\"\n    zone: UTC\n    missed: last\n    overlap: skip\n    customers: [c_ada]\n  third: {}\n";
    let told: Vec<String> =
        read(&files(text)).unwrap_err().iter().map(|d| d.to_string().lines().next().unwrap().into()).collect();
    for expected in [
        "W104 schedules.yaml:2:3: a schedule's name",
        "W111 schedules.yaml:3:15: there is no workflow `utility-pastdue`",
        "W104 schedules.yaml:5:11: `zone` should be a zone",
        "schedules.yaml:6:13:",
        "W104 schedules.yaml:7:20: `all` should be a whole number from 1 to 100",
        "W104 schedules.yaml:8:14: `overlap` should be one of",
        "W104 schedules.yaml:11:11: this time never comes",
        "W103 schedules.yaml:16:3: a schedule needs either `customers` or `where`",
    ] {
        assert!(told.iter().any(|line| line.contains(expected)), "{expected}: {told:#?}");
    }
}
