use secrecy::ExposeSecret;

use super::*;

fn dictionary() -> Dictionary {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../workflows/fields.yaml");
    Dictionary::read("fields.yaml", &std::fs::read_to_string(file).unwrap()).unwrap()
}

fn read(mut lines: Lines<&[u8]>) -> Vec<Result<Customer, Vec<String>>> {
    let dictionary = dictionary();
    std::iter::from_fn(|| lines.next(&dictionary).unwrap())
        .map(|line| line.map_err(|found| found.iter().map(ToString::to_string).collect()))
        .collect()
}

fn csv(text: &str) -> Vec<Result<Customer, Vec<String>>> {
    read(Lines::csv("ours.csv", text.as_bytes(), &dictionary()).unwrap())
}

fn json(text: &str) -> Vec<Result<Customer, Vec<String>>> {
    read(Lines::json("ours.jsonl", text.as_bytes()))
}

fn found(lines: Vec<Result<Customer, Vec<String>>>) -> Vec<String> {
    lines.into_iter().filter_map(Result::err).flatten().collect()
}

fn fields(customer: &Customer) -> Vec<(&str, &str)> {
    customer.fields.iter().map(|(path, value)| (path.as_str(), value.expose_secret())).collect()
}

const HEAD: &str = "customer,patient.mobile,account.balance,account.month,zones,jurisdictions,\
    consent.billing.sms,consent.words,consent.act\n";
const ADA: &str = "c_ada,+1 312 555 0142,\"$1,375.50\",2026-10,America/Chicago,US US-IL,2026-08-25T16:04:00Z,\"You may, gladly.\",web\n";

#[test]
fn a_row_and_a_line_of_json_say_the_same() {
    let row = csv(&format!("{HEAD}{ADA}")).remove(0).ok().unwrap();
    let line = json(
        r#"{"customer": "c_ada", "fields": {"patient.mobile": "+1 312 555 0142", "account.balance": "$1,375.50",
            "account.month": "2026-10"}, "zones": ["America/Chicago"], "jurisdictions": ["US", "US-IL"],
            "consents": [{"purpose": "billing", "channel": "sms", "at": "2026-08-25T16:04:00Z",
                "words": "You may, gladly.", "act": "web"}]}"#
            .replace('\n', " ")
            .as_str(),
    )
    .remove(0)
    .ok()
    .unwrap();
    assert_eq!((&row.id, &row.state, fields(&row)), (&line.id, &line.state, fields(&line)));
    assert_eq!(fields(&row)[1], ("account.balance", r#"{"minor":137550,"currency":"USD"}"#));
    let consent = &row.state.consents[0];
    assert_eq!((consent.at, consent.words.as_str()), (1_787_673_840_000_000, "You may, gladly."));
    let zones: Vec<&str> = row.state.zones.iter().map(|zone| zone.source.as_str()).collect();
    assert_eq!(zones, ["address", "phone"], "the area code is a clue of its own");
}

#[test]
fn what_was_done_once_is_a_note_with_its_day() {
    let row = csv("customer,note.reassignment-check\nc_ada,2026-10-01T16:00:00Z\n").remove(0).ok().unwrap();
    let line = r#"{"customer": "c_ada", "notes": [{"what": "reassignment-check", "at": "2026-10-01T16:00:00Z"}]}"#;
    let line = json(line).remove(0).ok().unwrap();
    assert_eq!(
        (row.state.notes[0].what.as_str(), row.state.notes[0].at),
        ("reassignment-check", 1_790_870_400_000_000)
    );
    assert_eq!(row.state.notes, line.state.notes);
    assert_eq!(found(csv("customer,note.own-text\nc_ada,yesterday\n")).len(), 1);
}

#[test]
fn an_empty_cell_says_nothing() {
    let row = csv(&format!("{HEAD}c_bo,,,,,,,,\n")).remove(0).ok().unwrap();
    assert_eq!((row.state, row.fields.len()), (CustomerState::default(), 0));
}

#[test]
fn every_bad_line_is_told_with_its_place_and_without_its_value() {
    let rows = "c_1,312-555-0142,,,,,,,\nc 2,,98.76,2026-13,Mars/Olympus,,,,\nc_3,+13125550142,,,,,2026-08-25T16:04:00Z,,\nc_4\n";
    let told = found(csv(&format!("{HEAD}{rows}{ADA}")));
    assert_eq!(
        told,
        [
            "W104 ours.csv:2:5: `patient.mobile` should be a phone number such as `+13125550142`",
            "W104 ours.csv:3:1: `customer` should be letters, digits, `-` and `_`, at most 64",
            "W104 ours.csv:3:20: an item of `zones` should be a zone such as `America/Chicago`",
            "W104 ours.csv:3:6: `account.balance` should be an amount such as `$375.50` or `EUR 12.00`",
            "W104 ours.csv:3:12: `account.month` should be a month such as `2026-10`",
            "W103 ours.csv:4:22: a consent needs the key `words`\n  help: add `words: …`",
            "W103 ours.csv:4:22: a consent needs the key `act`\n  help: add `act: …`",
            "W101 ours.csv:5:1: the row has 1 cells and there are 9 names above",
        ]
    );
}

#[test]
fn a_column_that_nobody_knows_is_told_once() {
    let told = found(csv("customer,patient.mobil,card.number\nc_1,x,4242424242424242\nc_2,y,\n"));
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains("ours.csv:1:10") && told[0].contains("did you mean `patient.mobile`?"), "{told:#?}");
    assert!(told[1].contains("`card.number` is no field of the customer"), "{told:#?}");
}

#[test]
fn a_line_of_json_has_its_own_line() {
    let told =
        found(json("{\"customer\": \"c_1\"}\n\n{\"customer\": \"c_2\", \"fields\": {\"patient.mobile\": 7}}\n{\n"));
    assert!(told[0].starts_with("W104 ours.jsonl:3:"), "{told:#?}");
    assert!(told[1].contains("ours.jsonl:4:"), "{told:#?}");
    assert_eq!(told.len(), 2, "{told:#?}");
}
