//! The schema of a pack of contact rules. The packs are read by the room that decides by them, whose tests hold that it
//! knows the same words and bounds.

use serde_json::{Value, json};

use super::{MAY, MUST, count, date, duration, list, map, matching, name, one_key, place, some, text, words};

/// By what a contact is made.
const CHANNELS: [&str; 5] = ["call", "auto-call", "sms", "email", "debit"];
const ENFORCERS: [&str; 7] = ["checker", "engine", "record", "vault", "host", "server", "nobody yet"];
const TIME: &str = "^([01][0-9]|2[0-3]):[0-5][0-9]$";
const DAYS: &str = "^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$";
/// The most contacts that a rule counts, and the most days that it looks back.
const MOST_COUNTED: i64 = 100;
const MOST_DAYS: i64 = 400;

/// A file of rules.
pub fn pack() -> Value {
    let applies = map(
        "To which contacts.",
        vec![
            ("channels", MUST, some("By what they are made.", channel())),
            ("purposes", MAY, list("For these purposes alone.", name("A purpose.", "collections"))),
            ("unless-purposes", MAY, list("For all purposes but these.", name("A purpose.", "identity"))),
        ],
    );
    let rule =
        map("One rule.", law().into_iter().chain([("applies", MUST, applies), ("then", MUST, then())]).collect());
    let enforced = vec![
        ("enforced-by", MUST, words("Who sees to it.", &ENFORCERS)),
        ("places", MAY, list("Where in the project.", text("A path.", "runtime/vault/src/transient.rs"))),
    ];
    let obligation = map("What no contact decision can see to.", law().into_iter().chain(enforced).collect());
    map(
        "Law as dated data. A new law is a new rule in a file.",
        vec![
            ("pack", MUST, text("The file's title.", "TCPA")),
            ("owner", MUST, text("Who answers for it.", "Compliance counsel")),
            ("status", MUST, words("`unreviewed` until counsel signs.", &["unreviewed", "reviewed"])),
            ("rules", MAY, list("The rules.", rule)),
            ("obligations", MAY, list("What the law asks for besides.", obligation)),
        ],
    )
}

fn law() -> Vec<super::Key> {
    vec![
        ("id", MUST, matching("Unique over all files.", "^[a-z][a-z0-9.-]{0,63}$", "tcpa.hours")),
        ("cite", MUST, text("The law.", "47 CFR 64.1200(c)(1)")),
        ("seen", MAY, words("How the law was seen.", &["primary", "secondary", "unconfirmed"])),
        ("about", MUST, text("One sentence for people.", "No solicitation before 08:00 or after 21:00.")),
        ("jurisdiction", MUST, some("Where it applies; `US` includes `US-FL`.", place())),
        ("effective", MUST, date("The first day.")),
        ("until", MAY, date("The last day.")),
    ]
}

fn channel() -> Value {
    words("A channel; what holds for a `call` holds for an `auto-call`.", &CHANNELS)
}

fn then() -> Value {
    let consent = words("How the customer agreed to it.", &["not-revoked", "express", "written"]);
    let noted = map(
        "What must be on file of the customer.",
        vec![
            ("any", MUST, some("One of these.", text("A note.", "reassignment-check"))),
            ("within", MUST, duration("At most so old.", "60d")),
        ],
    );
    one_key(
        "What it asks for.",
        vec![
            ("hours", hours()),
            ("consent", consent),
            ("not-flagged", text("The customer does not have this flag.", "attorney")),
            ("noted", noted),
            ("quiet", quiet()),
            ("at-most", at_most()),
        ],
    )
}

fn hours() -> Value {
    let time = |about: &str, example: &str| matching(about, TIME, example);
    let open = || {
        map(
            "From when until when, by every clock that the customer may live by.",
            vec![("from", MUST, time("Is inside.", "08:00")), ("to", MUST, time("Is not.", "21:00"))],
        )
    };
    let week = json!({
        "description": "The same by weekday; every day has to be named.",
        "type": "object",
        "propertyNames": { "pattern": DAYS },
        "additionalProperties": { "anyOf": [words("Closed.", &["none"]), open()] },
        "examples": [{ "mon-sat": { "from": "09:00", "to": "21:00" }, "sun": "none" }],
    });
    let convenient = words("Inside the hours that the customer called convenient.", &["convenient"]);
    json!({ "description": "When.", "anyOf": [convenient, open(), week] })
}

fn window() -> Vec<super::Key> {
    vec![
        ("of", MAY, some("Made by these.", channel())),
        ("within", MAY, duration("To the second.", "7d")),
        ("days", MAY, count("Days of the customer's calendar; the day of the event is the first.", MOST_DAYS)),
        ("per", MAY, words("Whose are counted together.", &["account", "customer"])),
    ]
}

/// `within` or `days`, and not both.
fn windowed(mut schema: Value) -> Value {
    schema["oneOf"] = json!([{ "required": ["within"] }, { "required": ["days"] }]);
    schema
}

fn quiet() -> Value {
    let after = ("after", MUST, text("`conversation`, or a note.", "conversation"));
    windowed(map("It is not on file, or longer ago.", std::iter::once(after).chain(window()).collect()))
}

fn at_most() -> Value {
    let contacts = ("contacts", MUST, count("This one would be one more than so many.", MOST_COUNTED));
    let counted = window().into_iter().map(|(key, must, says)| (key, must || matches!(key, "of" | "per"), says));
    windowed(map("How many contacts there may be.", std::iter::once(contacts).chain(counted).collect()))
}
