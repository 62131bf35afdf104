//! `selvedge bench` in small: it measures, and a node that is killed loses nothing and does nothing twice.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something is not as it must be")]

use selvedge_tests::{selvedge, text};
use serde_json::Value;

fn lines(output: &std::process::Output) -> Vec<Value> {
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_workload_is_measured_beside_its_floor() {
    let small = "--executions=8 --clients=4 --one-by-one=3 --stored=10 --sleepers=20";
    let arguments = ["bench", "steps", "--store", "sqlite", "--json"].into_iter().chain(small.split(' '));
    let told = lines(&selvedge(arguments));
    let of = |workload: &str| told.iter().find(|line| line["workload"] == workload).expect(workload);
    for (workload, fields) in [
        ("W1", ["n", "steps_per_s", "cpu_us_per_step", "p50_ms", "disk_b_per_step", "part_of_group_commit_floor"]),
        ("W2", ["n", "p50_ms", "p90_ms", "p99_ms", "max_ms", "times_ten_commits_floor"]),
        ("W2-stored", ["n", "stored_before", "p50_ms", "p90_ms", "p99_ms", "times_ten_commits_floor"]),
        ("W3", ["n", "start_all_s", "parked_s", "server_rss_growth_b_per_wf", "disk_b_per_wf", "cpu_s"]),
    ] {
        let line = of(workload);
        for field in fields {
            assert!(!line[field].is_null(), "{workload} says nothing of `{field}`: {line}");
        }
        for floor in ["group_commit_rows_per_s", "ten_commits_p50_ms", "wasm_calls_per_s_1thread"] {
            assert!(line["floor"][floor].as_f64().unwrap() > 0.0, "{workload}: {floor} in {line}");
        }
    }
    assert_eq!((of("W1")["n"].as_u64(), of("W1")["err"].as_u64()), (Some(8), Some(0)));
}

#[test]
fn made_up_customers_are_measured_beside_their_records() {
    let told = lines(&selvedge(["bench", "simulate", "--customers=20", "--json"]));
    for field in ["wall_s", "cpu_ms_per_customer", "customers_per_s", "times_floor"] {
        assert!(told[0][field].is_number(), "it says nothing of `{field}`: {}", told[0]);
    }
    assert!(told[0]["floor"]["events_sealed_and_read_s"].is_number(), "{}", told[0]);
    assert!(told[0]["events"].as_u64().unwrap() > 20 * 5, "{}", told[0]);
}

#[test]
fn a_start_is_measured_beside_its_yaml() {
    let told = lines(&selvedge(["bench", "start", "--workflows=12", "--json"]));
    assert_eq!(told[0]["workflows"], 12);
    assert!(told[0]["wall_s"].is_number() && told[0]["floor"]["yaml_alone_s"].is_number(), "{}", told[0]);
}

#[test]
fn a_campaign_stories_and_many_branches_are_measured_beside_their_floors() {
    for (workload, few, n, fields, floor) in [
        ("campaign", "--customers=50", 50, ["start_s", "idle_look_ms", "customers_per_s"], "executions_per_s"),
        ("story", "--stories=2", 2, ["stories_per_s", "p50_ms", "cpu_ms_per_story"], "group_commit_s"),
        ("each", "--executions=2", 2, ["items_per_s", "p50_ms", "cpu_us_per_item"], "steps_per_s"),
    ] {
        let told = lines(&selvedge(["bench", workload, few, "--json"])).remove(0);
        assert_eq!((told["workload"].as_str(), told["n"].as_u64()), (Some(workload), Some(n)));
        for field in fields {
            assert!(told[field].is_number(), "{workload} says nothing of `{field}`: {told}");
        }
        assert!(told["floor"][floor].as_f64().unwrap() > 0.0, "{told}");
    }
}

/// `SELVEDGE_KILLS` and `SELVEDGE_SEED` ask for more, or for the same again.
#[test]
fn kills_under_load_lose_nothing_and_double_nothing() {
    let kills = std::env::var("SELVEDGE_KILLS").unwrap_or_else(|_| "50".into());
    let mut arguments = vec!["bench".to_owned(), "crash".into(), "--json".into(), format!("--kills={kills}")];
    arguments.extend(std::env::var("SELVEDGE_SEED").map(|seed| format!("--seed={seed}")));
    let output = selvedge(&arguments);
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let told = format!("{summary}\n{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!((summary["lost"].as_u64(), summary["duplicated"].as_u64()), (Some(0), Some(0)), "{told}");
    assert_eq!(summary["kills"].as_u64(), kills.parse().ok(), "{told}");
}
