//! The schema of `workflow.yaml`. Each kind of step is one function, and stands in the table of [`step`].

use serde_json::{Value, json};

use super::{MAY, MUST, count, duration, field, level, list, map, matching, name, names_to, one_key, text, words};
use crate::dictionary::FieldType;
use crate::syntax::{CALL_CLASSES, CHANNELS, MAX_AT_ONCE, MAX_PAYMENTS, MAX_TRIES, MOST_PARTS};

pub fn workflow() -> Value {
    let mut schema = map(
        "A workflow reads from top to bottom as what will happen.",
        vec![
            ("workflow", MUST, name("Its name, the same as its folder's.", "healthcare-balance")),
            ("title", MUST, text("One line for people.", "A patient asks what they owe")),
            (
                "purpose",
                MUST,
                name("The purpose of every contact that does not say another; consent is asked for it.", "billing"),
            ),
            (
                "starts",
                MUST,
                words(
                    "How it begins; an `outgoing-call` is placed where the contact rules permit it.",
                    &["call", "outgoing-call", "chat", "sms"],
                ),
            ),
            (
                "languages",
                MAY,
                list(
                    "The languages of its texts, the first for whoever speaks none of them: `receipt.sms.txt` is in the first, `receipt.sms.es.txt` in Spanish.",
                    matching("Two letters.", "^[a-z]{2}$", "es"),
                ),
            ),
            ("uses", MUST, names_to("Own names for installed connectors.", name("The connector.", "brightline-sms"))),
            ("steps", MUST, steps("The steps, in their order.")),
        ],
    );
    schema["definitions"] = json!({ "step": step() });
    schema
}

pub fn shared() -> Value {
    let types = words("The type of the field that is handed in.", &FieldType::ALL.map(|(name, _)| name));
    let mut schema = map(
        "Steps that several workflows share; each that names them has them as its own, with their texts.",
        vec![
            ("subworkflow", MUST, name("Its name, the same as its folder's.", "verified-by-code")),
            ("title", MUST, text("One line for people.", "We make sure who is calling")),
            ("inputs", MAY, names_to("What is handed in, named `input.mobile` inside; not in texts.", types)),
            ("uses", MUST, names_to("Own names for installed connectors.", name("The connector.", "brightline-sms"))),
            ("steps", MUST, steps("The steps, in their order.")),
        ],
    );
    schema["definitions"] = json!({ "step": step() });
    schema
}

fn subworkflow() -> Value {
    map(
        "Do what several workflows do alike, as if its steps stood here.",
        vec![
            ("id", MUST, name("Its id; each step inside has it before its own: `caller-code`.", "caller")),
            ("workflow", MUST, name("The folder of its `subworkflow.yaml`.", "verified-by-code")),
            ("with", MAY, names_to("Its inputs, each a field.", field("The field.", "patient.mobile"))),
        ],
    )
}

/// Steps that follow one another; some kinds have steps inside.
fn steps(about: &str) -> Value {
    json!({
        "description": about, "type": "array", "items": { "$ref": "#/definitions/step" },
        "examples": [[{ "wait": { "id": "grace", "for": "2d" } }]],
    })
}

fn step() -> Value {
    let kinds = vec![
        ("verify", verify()),
        ("disclose", disclose()),
        ("offer", offer()),
        ("communicate", communicate()),
        ("pay", pay()),
        ("capture", capture()),
        ("debit", debit()),
        ("call", call()),
        ("wait", wait()),
        ("handoff", handoff()),
        ("choose", choose()),
        ("ask", ask()),
        ("approve", approve()),
        ("parallel", parallel()),
        ("for-each", for_each()),
        ("record", record()),
        ("subworkflow", subworkflow()),
    ];
    one_key("One step; its key says its kind.", kinds)
}

fn record() -> Value {
    let channel = || words("By this channel.", &CHANNELS);
    let word = |about: &str| {
        map(
            about,
            vec![
                ("channel", MUST, channel()),
                ("purpose", MUST, name("For this purpose; a withdrawal also for `all`.", "billing")),
                ("words", MUST, text("In these words.", "You may text me about this bill")),
            ],
        )
    };
    let kinds = vec![
        ("flag", name("What holds until somebody takes it away.", "dispute")),
        ("note", name("What was done or said now.", "reassignment-check")),
        ("conversation", channel()),
        ("consent", word("The customer agreed.")),
        ("withdrawal", word("The customer took a consent away.")),
    ];
    let mut fact = one_key("What; its key says what kind of thing it is.", kinds);
    fact["examples"] = json!([{ "flag": "dispute" }]);
    map(
        "Write something down about the customer; the contact rules see it from then on.",
        vec![id(), ("fact", MUST, fact)],
    )
}

fn id() -> (&'static str, bool, Value) {
    ("id", MUST, name("Its own name, in the record and in messages.", "identity"))
}

fn verify() -> Value {
    map(
        "Make sure who it is, by a one-time code.",
        vec![
            id(),
            ("level", MUST, level("What it is to prove. L2 needs a `check` of the channel.")),
            ("by", MUST, words("The method; what people know proves nothing.", &["code"])),
            ("over", MUST, name("The channel, from `uses`.", "texts")),
            ("to", MUST, field("The field with the address.", "patient.mobile")),
            ("template", MUST, name("The message with `{{ challenge.code }}`.", "code")),
            ("check", MAY, name("The verifier that is asked about the address first, from `uses`.", "sim")),
            ("answer-within", MUST, duration("How long the code can be given.", "10m")),
            ("tries", MUST, count("How often a wrong one may be given.", MAX_TRIES)),
            ("valid", MUST, duration("How long the proof holds.", "30m")),
        ],
    )
}

fn disclose() -> Value {
    map(
        "Say words, or show fields of the customer, and no others.",
        vec![
            id(),
            ("fields", MAY, list("What is shown.", field("A field of the customer.", "account.balance"))),
            ("words", MAY, name("The template that is said, whole: `mini-miranda`.", "mini-miranda")),
            (
                "over",
                MUST,
                words(
                    "Said on the call or in the chat, or shown on a page that a link opened.",
                    &["call", "chat", "page"],
                ),
            ),
        ],
    )
}

fn offer() -> Value {
    map(
        "Offer a payment plan and wait for the answer.",
        vec![
            id(),
            ("total", MUST, field("The money to be paid.", "account.balance")),
            ("payments", MUST, count("In how many parts.", MAX_PAYMENTS)),
            ("every", MUST, words("How often.", &["week", "month"])),
            ("answer-within", MUST, duration("How long the answer is awaited.", "15m")),
        ],
    )
}

fn communicate() -> Value {
    let link = map(
        "A link that works once.",
        vec![
            ("opens", MUST, name("The `pay` or `capture` step that it opens.", "first-payment")),
            ("lasts", MUST, duration("How long it works.", "72h")),
        ],
    );
    map(
        "Send a message, if the contact rules permit it.",
        vec![
            id(),
            ("over", MUST, name("The channel, from `uses`.", "texts")),
            ("to", MUST, field("The field with the address.", "patient.mobile")),
            ("template", MUST, name("The message.", "payment-link")),
            ("purpose", MAY, name("Its purpose, where it is not the workflow's.", "billing")),
            ("link", MAY, link),
            (
                "parts",
                MAY,
                count("The most parts that the SMS may be sent in; 2 where nothing stands here.", MOST_PARTS),
            ),
        ],
    )
}

fn pay() -> Value {
    map(
        "Take a payment by card, on the page that a link opened.",
        vec![
            id(),
            ("amount", MUST, text("The first part of an accepted offer, or a money field.", "plan.first")),
            ("by", MUST, words("How it is taken.", &["link"])),
            ("through", MUST, name("The gateway, from `uses`.", "cards")),
            ("level", MUST, level("How sure we must be of who pays; never less than the policy asks.")),
            ("step-up", MAY, name("The `verify` step to repeat when the proof has run out.", "identity")),
            ("authorization", MUST, name("The page with the words that the customer agrees to.", "authorization")),
            ("tries", MUST, count("How many cards may be tried.", MAX_TRIES)),
            ("undo", MUST, undo("How the money is given back when the run fails or is cancelled later.")),
        ],
    )
}

fn capture() -> Value {
    map(
        "Take a card on the page that a link opened, without charging it, and keep it as the customer's method on file.",
        vec![
            id(),
            ("by", MUST, words("How it is taken.", &["link"])),
            ("through", MUST, name("The gateway that says whether the card is good, from `uses`.", "cards")),
            ("level", MUST, level("How sure we must be of whose card it is; never less than the policy asks.")),
            ("step-up", MUST, name("The `verify` step to repeat: no proof from before the link counts.", "identity")),
            ("authorization", MUST, name("The page with the words on storing and later use.", "authorization")),
            ("tries", MUST, count("How many cards may be tried.", MAX_TRIES)),
            ("lasts", MUST, duration("How long the card stays on file.", "365d")),
        ],
    )
}

fn debit() -> Value {
    let notice = map(
        "What goes before an amount that is not the one that was charged last.",
        vec![
            ("over", MUST, name("The channel, from `uses`.", "texts")),
            ("to", MUST, field("The field with the address.", "customer.mobile")),
            ("template", MUST, name("The message; it names the amount.", "new-amount")),
            ("before", MUST, duration("How long the customer has until the charge.", "10d")),
        ],
    );
    map(
        "Charge the card on file while the customer is not there.",
        vec![
            id(),
            ("amount", MUST, field("A money field.", "instalment.amount")),
            ("through", MUST, name("The gateway, from `uses`.", "cards")),
            ("notice", MUST, notice),
            ("undo", MUST, never_undone()),
        ],
    )
}

fn never_undone() -> Value {
    map(
        "How the money is given back.",
        vec![("none", MUST, text("Who decides, and why no workflow does.", "a refund is decided by a person"))],
    )
}

/// One way in which what a step did is undone, or why there is none.
fn undo(about: &str) -> Value {
    let why = text("Who decides, and why no workflow does.", "a refund is decided by a person");
    let call = map("A call of a service that undoes it.", called());
    let mut schema = one_key(about, vec![("none", why), ("call", call)]);
    schema["examples"] = json!([
        { "none": "a refund is decided by a person" },
        { "call": { "through": "ledger", "function": "reverse", "with": { "payment": "payment.reference" } } },
    ]);
    schema
}

fn call() -> Value {
    let undo = ("undo", MAY, undo("How it is undone when the run fails or is cancelled later."));
    map("Call a function of a service.", [id()].into_iter().chain(called()).chain([undo]).collect())
}

/// What a call says.
fn called() -> Vec<super::Key> {
    vec![
        ("through", MUST, name("The service, from `uses`.", "ledger")),
        ("function", MUST, name("The function, as its manifest names it.", "post")),
        (
            "with",
            MAY,
            names_to("The function's own names to the fields that it is handed.", field("A field.", "account.balance")),
        ),
        ("purpose", MAY, name("Its purpose, where it is not the workflow's.", "billing")),
        ("class", MAY, words("A more careful effect class than the manifest's.", &CALL_CLASSES)),
    ]
}

fn wait() -> Value {
    map("Let time pass.", vec![id(), ("for", MUST, duration("For how long.", "2d"))])
}

fn handoff() -> Value {
    map(
        "Go on in another channel. What was proved is carried, and asked for again only where it does not hold any more.",
        vec![
            id(),
            ("to", MUST, words("The channel in which the conversation goes on.", &["call", "chat"])),
            ("within", MUST, duration("How long the handoff is awaited.", "2h")),
            ("step-up", MUST, name("The `verify` step to repeat when the proof has run out.", "identity")),
        ],
    )
}

fn choose() -> Value {
    let way = map(
        "One way.",
        vec![
            ("if", MUST, text("The condition: fields compared with values.", "account.balance > '50.00 USD'")),
            ("steps", MUST, steps("What happens then.")),
        ],
    );
    let mut otherwise = steps("What happens where none holds; `[]` for nothing.");
    otherwise["examples"] = json!([[]]);
    map(
        "Go on the first way whose condition holds.",
        vec![id(), ("when", MUST, list("The ways, asked in their order.", way)), ("otherwise", MUST, otherwise)],
    )
}

fn ask() -> Value {
    let mut answers = list("What can be answered.", name("An answer.", "hardship"));
    answers["examples"] = json!([["hardship", "standard"]]);
    map(
        "Ask a colleague. Conditions find the answer as `<id>.answer`.",
        vec![
            id(),
            ("question", MUST, text("The question, as it is put.", "Does hardship apply?")),
            ("of", MUST, name("The job function of those who may answer.", "supervisor")),
            ("answers", MUST, answers),
            ("within", MUST, duration("How long the answer is awaited.", "2d")),
            ("otherwise", MUST, name("The answer that stands where nobody gives one.", "standard")),
        ],
    )
}

fn approve() -> Value {
    map(
        "Have a colleague, who did not open the interaction, approve terms. Silence does not approve.",
        vec![
            id(),
            ("terms", MUST, name("The `offer` step whose terms they are.", "plan")),
            ("of", MUST, name("The job function of those who may approve.", "supervisor")),
            ("within", MUST, duration("How long the approval is awaited.", "1d")),
        ],
    )
}

fn if_one_fails() -> (&'static str, bool, Value) {
    let about = "The others go on to their end; then the run fails, or goes on all the same.";
    ("if-one-fails", MAY, words(about, &["fail", "go-on"]))
}

fn parallel() -> Value {
    let branch = map("One branch.", vec![("steps", MUST, steps("What happens in it."))]);
    let mut branches = list("The branches, two or more.", branch);
    branches["examples"] = json!([[
        { "steps": [{ "wait": { "id": "grace", "for": "2d" } }] },
        { "steps": [{ "wait": { "id": "rest", "for": "1d" } }] },
    ]]);
    map(
        "Do several things at once; go on when the last one is over.",
        vec![id(), ("branches", MUST, branches), if_one_fails()],
    )
}

fn for_each() -> Value {
    map(
        "Do the same for each item of a list of the customer's; go on when the last one is over.",
        vec![
            id(),
            ("every", MUST, name("The group of fields with `list: true`; inside, they are the item's.", "loan")),
            ("at-once", MUST, count("How many items are under way at once at most.", MAX_AT_ONCE)),
            ("steps", MUST, steps("What happens for each item.")),
            if_one_fails(),
        ],
    )
}
