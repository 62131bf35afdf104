//! JSON Schemas (draft 7) of the files that operations, compliance and admins write, for editors that complete and
//! underline. They say the form of a file; whether it is safe says the checker. Each lies as `workflows/schema/<name>.json`
//! and is compared with what is made here by a test.

mod rules;
mod steps;

use serde_json::{Map, Value, json};

use crate::dictionary::{Class, FieldType, Level, MAX_LONGEST, Source};
use crate::schedule::{MAX_MISSED, MAX_PACE};

/// The names of all schemas.
pub const NAMES: [&str; 10] = [
    "workflow",
    "subworkflow",
    "fields",
    "assurance",
    "disclosures",
    "budget",
    "stories",
    "rules",
    "grants",
    "schedules",
];

/// The schema of this name, as it lies in the file.
#[must_use]
pub fn schema(name: &str) -> Option<Value> {
    let (title, body) = match name {
        "workflow" => ("A workflow", steps::workflow()),
        "subworkflow" => ("Steps that several workflows share", steps::shared()),
        "fields" => ("The data dictionary", fields()),
        "assurance" => ("How sure we must be of who it is", assurance()),
        "disclosures" => ("What has to be said", disclosures()),
        "budget" => ("How much a run may take", budget()),
        "stories" => ("Stories of a workflow", stories()),
        "rules" => ("A pack of contact rules", rules::pack()),
        "grants" => ("What an admin grants to a connector", grants()),
        "schedules" => ("When workflows begin by themselves", schedules()),
        _ => return None,
    };
    let mut schema = Map::new();
    schema.insert("$schema".into(), "http://json-schema.org/draft-07/schema#".into());
    schema.insert("title".into(), title.into());
    if let Value::Object(body) = body {
        schema.extend(body);
    }
    Some(Value::Object(schema))
}

/// A key of a map: its name, whether it must be there, and what may stand behind it.
type Key = (&'static str, bool, Value);

const MUST: bool = true;
const MAY: bool = false;

/// A map with these keys and no others.
fn map(about: &str, keys: Vec<Key>) -> Value {
    let required: Vec<&str> = keys.iter().filter(|(_, must, _)| *must).map(|(name, ..)| *name).collect();
    let properties: Map<String, Value> = keys.into_iter().map(|(name, _, schema)| (name.to_owned(), schema)).collect();
    let mut schema = json!({
        "description": about, "type": "object", "properties": properties, "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// A map with exactly one of these keys, which says what kind of thing it is.
fn one_key(about: &str, keys: Vec<(&'static str, Value)>) -> Value {
    let mut schema = map(about, keys.into_iter().map(|(name, schema)| (name, MAY, schema)).collect());
    schema["minProperties"] = 1.into();
    schema["maxProperties"] = 1.into();
    schema
}

/// A map from the author's own names.
fn names_to(about: &str, value: Value) -> Value {
    json!({ "description": about, "type": "object", "additionalProperties": value })
}

fn list(about: &str, items: Value) -> Value {
    json!({ "description": about, "type": "array", "items": items })
}

/// A list, or one value in its place.
fn some(about: &str, items: Value) -> Value {
    json!({ "description": about, "anyOf": [items.clone(), { "type": "array", "items": items }] })
}

fn text(about: &str, example: &str) -> Value {
    json!({ "description": about, "type": "string", "minLength": 1, "examples": [example] })
}

fn words(about: &str, words: &[&str]) -> Value {
    json!({ "description": about, "type": "string", "enum": words })
}

fn matching(about: &str, pattern: &str, example: &str) -> Value {
    json!({ "description": about, "type": "string", "pattern": pattern, "examples": [example] })
}

fn flag(about: &str) -> Value {
    json!({ "description": about, "type": "boolean" })
}

/// Lower-case letters, digits and hyphens.
fn name(about: &str, example: &str) -> Value {
    matching(about, "^[a-z][a-z0-9-]{0,63}$", example)
}

/// The path of a field.
fn field(about: &str, example: &str) -> Value {
    matching(about, "^[a-z][a-z0-9-]*(\\.[a-z][a-z0-9-]*)+$", example)
}

fn duration(about: &str, example: &str) -> Value {
    matching(about, "^[0-9]{1,9}[smhd]$", example)
}

fn count(about: &str, most: i64) -> Value {
    json!({ "description": about, "type": "integer", "minimum": 1, "maximum": most })
}

fn level(about: &str) -> Value {
    words(about, &Level::ALL.map(|(name, _)| name))
}

fn class(about: &str) -> Value {
    words(about, &Class::ALL.map(|(name, _)| name))
}

fn fields() -> Value {
    let info = map(
        "One field.",
        vec![
            ("type", MUST, words("The form of its value.", &FieldType::ALL.map(|(name, _)| name))),
            (
                "class",
                MUST,
                class(
                    "What kind of data it is; the law speaks of classes. PHI may not travel by SMS, card data go from the payment page to a gateway alone.",
                ),
            ),
            (
                "source",
                MUST,
                words(
                    "Who has it: kept for each customer, the organisation, or made by Selvedge.",
                    &Source::ALL.map(|(name, _)| name),
                ),
            ),
            ("about", MUST, text("One line for people.", "What is owed for care")),
            (
                "list",
                MAY,
                flag("`true`: a customer has a value for each item of its group; a `for-each` names one of them."),
            ),
            (
                "longest",
                MAY,
                count("The most characters that a text has; an SMS names only texts that say it.", MAX_LONGEST),
            ),
        ],
    );
    let fields = json!({
        "description": "Each field by its path, `group.name`.", "type": "object",
        "propertyNames": { "pattern": "^[a-z][a-z0-9-]*(\\.[a-z][a-z0-9-]*)+$" }, "additionalProperties": info,
    });
    map("Every field that a workflow, a template or a grant may name.", vec![("fields", MUST, fields)])
}

fn assurance() -> Value {
    let levels = map(
        "Action to level.",
        vec![
            (
                "disclose",
                MUST,
                names_to("Class to level; a class that is not listed is never shown.", level("The level.")),
            ),
            ("pay", MUST, level("Taking a payment.")),
            ("change-method", MUST, level("Changing how somebody pays.")),
        ],
    );
    map(
        "Which level an action needs, what may travel where, and what counts as a proof of identity.",
        vec![
            ("owner", MUST, text("Who answers for it.", "Chief privacy officer")),
            ("status", MUST, text("`unreviewed` until counsel signs.", "unreviewed")),
            ("cite", MUST, text("The law behind the levels.", "45 CFR 164.514(h)")),
            ("carry-cite", MUST, text("The law behind `carry`.", "45 CFR 164.502(b)")),
            ("levels", MUST, levels),
            (
                "carry",
                MUST,
                names_to("Medium to the classes that may travel by it.", list("The classes.", class("A class."))),
            ),
            ("methods", MUST, names_to("Method to the level that it proves.", level("The level."))),
        ],
    )
}

fn place() -> Value {
    matching("`US`, or a part of it.", "^[A-Z0-9]+(-[A-Z0-9]+)*$", "US-FL")
}

fn date(about: &str) -> Value {
    matching(about, "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "2025-04-11")
}

fn disclosures() -> Value {
    let phrases = |about: &str| list(about, text("A phrase.", "debt collector"));
    let then = map(
        "What it asks for, by its first key: `verified`, `said` or `in`.",
        vec![
            ("verified", MAY, level("Somebody is proved at this level before these words are said.")),
            ("said", MAY, name("Words that are said.", "mini-miranda")),
            ("before", MAY, list("Before these words, or steps of these kinds.", name("A name.", "offer"))),
            ("after", MAY, name("After these words, on every path.", "mini-miranda")),
            ("within", MAY, duration("In this time.", "5d")),
            (
                "in",
                MAY,
                name(
                    "The words that it is asked of; `message`: each SMS, `communicate`: those without a code.",
                    "message",
                ),
            ),
            ("every", MAY, phrases("All of these are in it.")),
            ("one-of", MAY, phrases("One of these is.")),
            ("fields", MAY, list("It names all of these.", field("A field.", "debt.amount"))),
            (
                "languages",
                MAY,
                json!({
                    "description": "The phrases in further languages, by two letters: `es`.", "type": "object",
                    "propertyNames": { "pattern": "^[a-z]{2}$" },
                    "additionalProperties": map("Phrases.", vec![
                        ("every", MAY, phrases("All of these are in it.")),
                        ("one-of", MAY, phrases("One of these is.")),
                    ]),
                }),
            ),
        ],
    );
    let rule = map(
        "One rule.",
        vec![
            ("id", MUST, matching("Unique in the file.", "^[a-z][a-z0-9.-]{0,63}$", "regf.mini-miranda")),
            ("cite", MUST, text("The law.", "12 CFR 1006.18(e)")),
            ("seen", MAY, words("How the law was seen.", &["primary", "secondary", "unconfirmed"])),
            ("about", MUST, text("One sentence for people.", "Who it is from is said first.")),
            ("jurisdiction", MUST, place()),
            ("effective", MUST, date("The first day. The rule counts before it, too.")),
            ("purposes", MUST, list("The purposes that it is about.", name("A purpose.", "collections"))),
            ("then", MUST, then),
        ],
    );
    map(
        "What has to be said before a workflow may do more, and in which words.",
        vec![
            ("owner", MUST, text("Who answers for it.", "Compliance counsel")),
            ("status", MUST, words("`unreviewed` until counsel signs.", &["unreviewed", "reviewed"])),
            ("rules", MUST, list("The rules.", rule)),
        ],
    )
}

fn budget() -> Value {
    let limits = |must| {
        let number =
            |about: &str, most: i64| json!({ "description": about, "type": "integer", "minimum": 1, "maximum": most });
        vec![
            (
                "steps",
                must,
                number("Steps of the plan; each code, each card and each item of a list counts.", 1_000_000),
            ),
            ("tries", must, number("Codes and cards that a customer may try.", 1_000)),
            ("held", must, duration("How long a customer is kept on the line.", "45m")),
            ("open", must, duration("How long a run may stay open.", "60d")),
        ]
    };
    let because = ("because", MUST, text("Why, for those who read the file.", "It is paid over a year."));
    let exception = map("What counts for one workflow instead.", std::iter::once(because).chain(limits(MAY)).collect());
    map(
        "How much a run may take at most. What does is added up by `workflow check`.",
        vec![
            ("owner", MUST, text("Who answers for it.", "Head of operations")),
            ("limits", MUST, map("For every workflow.", limits(MUST))),
            ("exceptions", MAY, names_to("Workflow to what counts for it instead.", exception)),
        ],
    )
}

fn grants() -> Value {
    let route = map(
        "One kind of request.",
        vec![
            ("method", MUST, words("The method.", &["GET", "POST", "PUT", "PATCH", "DELETE"])),
            ("path", MUST, text("The path, with `*` for what varies in a query.", "/v2/messages")),
            (
                "slots",
                MAY,
                names_to(
                    "Place in the request to the fields that may be put there.",
                    list("The fields.", field("A field.", "patient.mobile")),
                ),
            ),
        ],
    );
    map(
        "Nothing else is linked into the connector, and nothing else leaves.",
        vec![
            ("connector", MUST, name("The connector.", "brightline-sms")),
            ("by", MUST, text("Who grants it.", "Admin of the demo clinic")),
            ("reason", MUST, text("What for.", "One-time codes by SMS")),
            ("imports", MAY, list("The powers.", words("A power.", &["egress", "reveal"]))),
            ("fields", MAY, list("The fields that it may name.", field("A field.", "patient.mobile"))),
            ("purposes", MUST, list("For which purposes.", name("A purpose.", "billing"))),
            (
                "connections",
                MAY,
                names_to("Each connection to the requests that may go out by it.", list("The requests.", route)),
            ),
        ],
    )
}

fn schedules() -> Value {
    let missed = json!({
        "description": "What becomes of times that no node was there for, or that were paused.",
        "anyOf": [
            words("Nothing, or the last one is made up for.", &["skip", "last"]),
            map("The last so many are made up for.", vec![("all", MUST, count("So many.", MAX_MISSED))]),
        ],
    });
    let schedule = map(
        "One schedule, with either `customers` or `where`.",
        vec![
            ("workflow", MUST, name("The workflow that begins.", "utility-past-due")),
            (
                "cron",
                MUST,
                text("Minute, hour, day of the month, month, day of the week, as in crontab(5).", "30 9 * * mon-fri"),
            ),
            ("zone", MUST, text("Where these times are read.", "America/Chicago")),
            ("customers", MAY, list("With these customers.", text("A customer's id.", "c_ada"))),
            ("where", MAY, text("With those for whom this holds then.", "bill.due < '2026-11-01'")),
            ("missed", MUST, missed),
            (
                "overlap",
                MUST,
                words("What becomes of a time while the campaign before still goes on.", &["skip", "queue", "allow"]),
            ),
            ("channel", MAY, text("The channel that the interactions are opened on.", "schedule")),
            ("per_minute", MAY, count("Customers taken up within a minute at most.", MAX_PACE)),
            ("at_once", MAY, count("Interactions open at a time at most.", MAX_PACE)),
        ],
    );
    map("The file.", vec![("schedules", MUST, names_to("By name.", schedule))])
}

fn stories() -> Value {
    let texts = |about: &str, example: &str| list(about, text("One.", example));
    let consent = map(
        "A consent that was given or taken away.",
        vec![
            ("purpose", MUST, name("For what.", "billing")),
            ("channel", MUST, words("By what.", &["sms", "call", "email"])),
            ("granted", MAY, flag("`false`: taken away.")),
            ("before", MAY, duration("How long before the story; 90 days when left out.", "90d")),
        ],
    );
    let note = map(
        "Something that was noted.",
        vec![
            ("what", MUST, name("What.", "reassignment-check")),
            ("before", MUST, duration("How long before the story.", "10d")),
        ],
    );
    let customer = |about: &str| {
        map(
            about,
            vec![
                (
                    "fields",
                    MAY,
                    names_to(
                        "Values of the customer's fields; money as `\"$375.50\"`.",
                        text("The value.", "+13125550142"),
                    ),
                ),
                ("zones", MAY, texts("Where the customer's clock may be.", "America/Chicago")),
                ("jurisdictions", MAY, texts("Whose law applies.", "US-IL")),
                ("consents", MAY, list("What was said about consent.", consent.clone())),
                ("flags", MAY, texts("What else is known.", "opted-out")),
                ("language", MAY, matching("The language that the customer wants: two letters.", "^[a-z]{2}$", "es")),
                ("notes", MAY, list("What was noted.", note.clone())),
            ],
        )
    };
    let given = |about: &str| {
        map(
            about,
            vec![
                (
                    "now",
                    MAY,
                    text("When the story begins; all its times are in this zone.", "2026-11-23 10:04 America/Chicago"),
                ),
                (
                    "sender",
                    MAY,
                    names_to("Values of the organisation's fields.", text("The value.", "Riverside Clinic")),
                ),
                ("customer", MAY, customer("Who the customer is.")),
                (
                    "vendors",
                    MAY,
                    names_to(
                        "What each connector answers, in turn.",
                        some(
                            "The answers.",
                            words(
                                "An answer.",
                                &[
                                    "sent", "clear", "raised", "missing", "paid", "good", "declined", "busy", "failed",
                                    "silent", "lost",
                                ],
                            ),
                        ),
                    ),
                ),
            ],
        )
    };
    let act = one_key(
        "What somebody does.",
        vec![
            ("code", words("The customer gives a code.", &["right", "wrong"])),
            ("offer", words("The customer answers the offer.", &["accepted", "declined"])),
            ("link", words("The customer opens the link.", &["opened"])),
            ("card", words("The customer agrees and enters a card.", &["entered"])),
            ("question", name("A colleague answers the question, in the function that is asked.", "disputes")),
            (
                "approval",
                words(
                    "A colleague approves the terms or refuses them; or who opened the interaction tries to, which has to be refused.",
                    &["approved", "refused", "by-requester"],
                ),
            ),
            ("handoff", words("The agent hands the conversation over to this channel.", &["call", "chat"])),
            ("wait", duration("Time passes.", "2d")),
            ("text", text("The customer writes to us.", "STOP")),
            ("customer", customer("What is on file changes.")),
        ],
    );
    let step = matching(
        "A step; in a `for-each` with the item, `due#2`.",
        "^[a-z][a-z0-9-]{0,63}(#[1-9][0-9]{0,2})?$",
        "identity",
    );
    let time = || {
        matching(
            "A time, in the zone of the story.",
            "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}$",
            "2026-11-24 08:00",
        )
    };
    let message = map(
        "A message.",
        vec![
            ("step", MUST, step.clone()),
            ("at", MAY, time()),
            ("text", MUST, text("The whole text, with `[code]` and `[link]`.", "Clinic: [code] is your code.")),
        ],
    );
    let paid = map(
        "Money that was taken.",
        vec![("step", MUST, step.clone()), ("amount", MUST, text("How much.", "$125.17"))],
    );
    let decision = map(
        "A decision that was no plain yes.",
        vec![
            ("step", MUST, step.clone()),
            ("verdict", MUST, words("No, or not yet.", &["deny", "defer"])),
            ("rules", MUST, texts("The rules that said so.", "tcpa.hours")),
            ("until", MAY, time()),
        ],
    );
    let then = map(
        "What must come of it; what is left out is not looked at.",
        vec![
            ("ending", MUST, words("How it ends.", &["completed", "failed", "declined", "open"])),
            ("path", MAY, list("The steps that the run came to.", step.clone())),
            ("messages", MAY, list("All messages that went out.", message)),
            ("money", MAY, list("All money that was taken.", paid)),
            ("undone", MAY, list("The steps that were undone, the newest first.", step)),
            ("decisions", MAY, list("All decisions that were no plain yes.", decision)),
        ],
    );
    let story = map(
        "One story.",
        vec![
            ("story", MUST, text("What happens, in a sentence.", "The first card is declined, the second one is good")),
            ("given", MAY, given("What differs from what all stories share.")),
            ("when", MAY, list("What people do, each as soon as the run asks for it.", act)),
            ("then", MUST, then),
        ],
    );
    map(
        "Stories of a workflow, played by `selvedge workflow test`.",
        vec![("given", MAY, given("What all stories share.")), ("stories", MUST, list("The stories.", story))],
    )
}
