//! A plan in words: what each step does, what can go wrong there and where that leads, and which class of data reaches
//! whom. Said of the plan, so that it is what will happen and not what was meant.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::budget::Most;
use crate::dictionary::{Class, Dictionary, Level};
use crate::plan::{Amount, Carries, Ending, Every, Exit, Node, Noted, Op, Plan, Target, Word};
use crate::source::duration_in_words;

/// A workflow in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// Its name.
    pub workflow: String,
    /// One line for people.
    pub title: String,
    /// Its purpose.
    pub purpose: String,
    /// How it begins.
    pub starts: String,
    /// The languages of its texts, the first for whoever speaks none of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// Its steps, in the order of the plan.
    pub steps: Vec<StepInWords>,
    /// Who gets to know what.
    pub reaches: Vec<Reach>,
    /// What a run takes at most.
    pub most: Vec<Most>,
}

/// One step in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepInWords {
    /// Its id.
    pub id: String,
    /// What it does, one sentence after the other.
    pub does: Vec<String>,
    /// What can go otherwise.
    pub otherwise: Vec<Otherwise>,
    /// The steps that it leads to when all goes well; none where the run ends.
    pub then: BTreeSet<String>,
}

/// Something that can go otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Otherwise {
    /// What happens: "no code within 10m".
    pub when: String,
    /// Where that leads.
    pub leads: Leads,
}

/// Where something leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leads {
    /// The run is over.
    Ends(Ending),
    /// To another step.
    Step(String),
    /// To another part of the same step: "asks for the card".
    Within(String),
}

impl Leads {
    /// In a sentence: "the run ends (failed)".
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Leads::Ends(ending) => format!("the run ends ({})", ending_name(*ending)),
            Leads::Step(step) => format!("on to `{step}`"),
            Leads::Within(does) => format!("it {does}"),
        }
    }
}

/// Who gets to know fields of one class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Reach {
    /// Who: `brightline-sms`, `the customer, on the call`.
    pub whom: String,
    /// The class.
    pub class: Class,
    /// The fields of that class.
    pub fields: BTreeSet<String>,
}

/// The plan in words.
#[must_use]
pub fn explain(plan: &Plan, dictionary: &Dictionary) -> Explained {
    let mut steps: Vec<StepInWords> = Vec::new();
    for node in &plan.nodes {
        let id = step_in_words(node);
        let at = steps.iter().position(|step| step.id == id).unwrap_or_else(|| {
            steps.push(StepInWords { id, does: Vec::new(), otherwise: Vec::new(), then: BTreeSet::new() });
            steps.len() - 1
        });
        let step = &mut steps[at];
        if node.undoes() {
            let undo = does(plan, dictionary, node);
            step.does.push(format!(
                "is undone when the run fails or is cancelled later: {undo}; where that fails, a person decides"
            ));
            continue;
        }
        step.does.push(does(plan, dictionary, node));
        for (exit, target) in &node.exits {
            let leads = leads(plan, node, *target);
            match (&leads, is_good(*exit)) {
                (Leads::Step(next), true) => drop(step.then.insert(next.clone())),
                (Leads::Step(_) | Leads::Ends(_), false) | (Leads::Within(_), _) => {
                    let otherwise = when(plan, node, *exit).map(|when| Otherwise { when, leads });
                    step.otherwise.extend(otherwise.filter(|new| !step.otherwise.contains(new)));
                }
                (Leads::Ends(_), true) => {}
            }
        }
    }
    Explained {
        workflow: plan.workflow.clone(),
        title: plan.title.clone(),
        purpose: plan.purpose.clone(),
        starts: plan.starts.clone(),
        languages: plan.languages.clone(),
        steps,
        reaches: reaches(plan, dictionary),
        most: plan.most.clone(),
    }
}

/// The step that a node is told under. Branches lie between the two ends of their step.
fn step_in_words(node: &Node) -> String {
    match &node.op {
        Op::Join => format!("{}, all over", node.step),
        _ => node.step.clone(),
    }
}

/// The exits by which all goes well.
fn is_good(exit: Exit) -> bool {
    matches!(exit, Exit::Done | Exit::Fresh | Exit::Yes | Exit::No | Exit::Branch(_))
}

fn ending_name(ending: Ending) -> &'static str {
    match ending {
        Ending::Completed => "completed",
        Ending::Failed => "failed",
        Ending::Declined => "declined",
    }
}

fn leads(plan: &Plan, node: &Node, target: Target) -> Leads {
    match target {
        Target::End(ending) => Leads::Ends(ending),
        Target::Node(at) => match plan.nodes.get(at) {
            Some(next) if step_in_words(next) != step_in_words(node) => Leads::Step(step_in_words(next)),
            Some(next) => Leads::Within(briefly(&next.op).to_owned()),
            None => Leads::Ends(Ending::Failed),
        },
    }
}

/// What an op does, in few words.
fn briefly(op: &Op) -> &'static str {
    match op {
        Op::Check { .. } => "asks the verifier and sends a new code",
        Op::Send { .. } => "sends the message",
        Op::Answer { .. } => "waits for the code",
        Op::Disclose { .. } => "shows the fields",
        Op::Offer { .. } => "makes the offer",
        Op::Open => "waits for the link to be opened",
        Op::Fresh { .. } => "asks whether the proof still holds",
        Op::Card { .. } => "asks for a card",
        Op::Charge { .. } => "charges the card",
        Op::Validate { .. } => "asks whether the card is good",
        Op::Keep { .. } => "keeps the card on file",
        Op::Changed { .. } => "asks whether the amount has changed",
        Op::Remember { charged: false, .. } => "keeps what the customer was told",
        Op::Remember { charged: true, .. } => "keeps what was charged",
        Op::Debit { .. } => "charges the card on file",
        Op::Call { .. } => "calls the service",
        Op::Wait { .. } => "lets time pass",
        Op::Handoff { .. } => "waits for the handoff",
        Op::When { .. } => "asks the next condition",
        Op::Ask { .. } => "asks a colleague",
        Op::Approve { .. } => "asks for an approval",
        Op::Fork { .. } => "begins its branches",
        Op::Join => "waits for all branches",
        Op::Record { .. } => "writes it down",
    }
}

/// What a node does, as a sentence without its subject.
fn does(plan: &Plan, dictionary: &Dictionary, node: &Node) -> String {
    match &node.op {
        Op::Wait { lasts } => format!("lets {} pass", duration_in_words(*lasts)),
        Op::Handoff { to, within } => format!(
            "waits {} for the conversation to be handed over to a {to}, which carries what was proved and agreed so far",
            duration_in_words(*within)
        ),
        Op::Ask { question, of, answers, within, otherwise } => {
            let answers = answers.iter().map(|answer| format!("`{answer}`")).collect::<Vec<_>>().join(", ");
            let waits = duration_in_words(*within);
            format!("asks a `{of}`: \"{question}\" ({answers}); after {waits} without an answer it is `{otherwise}`")
        }
        Op::Approve { terms, of, within } => format!(
            "has a `{of}` who did not open the interaction approve the terms of `{terms}`, and waits {} for it",
            duration_in_words(*within)
        ),
        Op::Fork { each: Some(each), .. } => {
            let first = leads(plan, node, node.target(Exit::Branch(0))).in_words();
            format!("for each `{}`, at most {} at once: {first}", each.every, each.at_once)
        }
        Op::Fork { .. } => {
            let starts = node.exits.iter().map(|(_, target)| leads(plan, node, *target).in_words());
            format!("does {} things at once: {}", node.exits.len(), starts.collect::<Vec<_>>().join("; "))
        }
        Op::Join => "waits until all of it is over".to_owned(),
        Op::Record { what } => recorded(what),
        Op::When { condition } => {
            let way = |exit| leads(plan, node, node.target(exit)).in_words();
            format!("asks whether `{}`: if so, {}; if not, {}", condition.text, way(Exit::Yes), way(Exit::No))
        }
        Op::Check { connector, subject } => {
            format!("asks {} about {}", named(plan, connector), field(dictionary, subject))
        }
        Op::Send { connector, to, template, purpose, carries } => {
            let what = match carries {
                Carries::Nothing => format!("the message `{template}`"),
                Carries::Code => format!("a one-time code in the message `{template}`"),
                Carries::Link { opens, lasts } => {
                    format!(
                        "a link to `{opens}` in the message `{template}`, good once and for {}",
                        duration_in_words(*lasts)
                    )
                }
            };
            let to = field(dictionary, to);
            format!(
                "sends {what} to {to} by {}, if the contact rules permit it for `{purpose}`",
                named(plan, connector)
            )
        }
        Op::Answer { within, tries, level, valid } => format!(
            "waits {} for the code, {}; the right one proves {level} for {}",
            duration_in_words(*within),
            count(*tries, "try", "tries"),
            duration_in_words(*valid)
        ),
        Op::Disclose { fields, words, over, needs } => {
            let fields: Vec<String> = fields.iter().map(|path| field(dictionary, path)).collect();
            if let Some(words) = words {
                let with = if fields.is_empty() { String::new() } else { format!(" with {}", fields.join(", ")) };
                return format!("says the words `{words}`{with} on the {over}, to someone proved at {needs}");
            }
            format!("shows {} on the {over}, to someone proved at {needs} and nobody else", fields.join(", "))
        }
        Op::Offer { total, payments, every, within } => format!(
            "offers to pay {} in {}, one a {}, and waits {} for the answer",
            field(dictionary, total),
            count(*payments, "part", "parts"),
            match every {
                Every::Week => "week",
                Every::Month => "month",
            },
            duration_in_words(*within)
        ),
        Op::Open => "waits for its link to be opened".to_owned(),
        Op::Fresh { needs, anew: false } => format!("asks whether a proof of {needs} still holds"),
        Op::Fresh { needs, anew: true } => {
            format!("asks for a proof of {needs} made since the link was opened; none from before counts")
        }
        Op::Validate { connector, needs, tries } => format!(
            "asks {} whether the card is good, for someone proved at {needs}, and takes no money; {}",
            named(plan, connector),
            count(*tries, "card may be tried", "cards may be tried")
        ),
        Op::Keep { lasts } => format!(
            "keeps the card on file for {}, in the place of the one before: its number sealed, its security code not",
            duration_in_words(*lasts)
        ),
        Op::Changed { amount } => {
            let amount = named_amount(dictionary, amount);
            format!("asks whether {amount} is another amount than the card on file was charged last")
        }
        Op::Remember { charged, .. } => {
            let what = if *charged { "was charged" } else { "was told of" };
            format!("keeps with the card on file, as a hash, that this amount {what}")
        }
        Op::Debit { connector, amount } => format!(
            "charges {} to the card on file through {}, if the rules permit it: the customer agreed, did not stop it, and \
             was told of an amount that changed",
            named_amount(dictionary, amount),
            named(plan, connector)
        ),
        Op::Card { authorization, .. } => format!("shows the words `{authorization}` and takes agreement and card"),
        Op::Charge { connector, amount, needs, tries } => format!(
            "charges {} through {}, for someone proved at {needs}; {}",
            named_amount(dictionary, amount),
            named(plan, connector),
            count(*tries, "card may be tried", "cards may be tried")
        ),
        Op::Call { connector, function, with, purpose, .. } => {
            let fields: Vec<String> = with.iter().map(|(_, path)| field(dictionary, path)).collect();
            let fields = if fields.is_empty() { "nothing".to_owned() } else { fields.join(", ") };
            format!("calls `{function}` of {} for `{purpose}`, and hands it {fields}", named(plan, connector))
        }
    }
}

/// What is written down of the customer, and what follows from it.
fn recorded(what: &Noted) -> String {
    match what {
        Noted::Flag(flag) => format!("writes down `{flag}` of the customer, which the contact rules see from then on"),
        Noted::Note(note) => format!("notes `{note}` of the customer, with the time, for the contact rules"),
        Noted::Conversation(channel) => format!("counts a conversation with the customer by {channel}"),
        Noted::Consent(Word { channel, purpose, words }) => {
            format!("writes down that the customer agreed to {channel} for `{purpose}`: \"{words}\"")
        }
        Noted::Withdrawal(Word { channel, purpose, words }) => {
            format!("writes down that the customer wants no more {channel} for `{purpose}`: \"{words}\"")
        }
    }
}

/// What makes a node be left by this exit. `None`: the usual way on within its step.
fn when(plan: &Plan, node: &Node, exit: Exit) -> Option<String> {
    Some(match (&node.op, exit) {
        (_, Exit::Done | Exit::Fresh | Exit::Yes | Exit::No | Exit::Branch(_)) => return None,
        (Op::Ask { within, .. }, _) => format!("nobody answers within {}", duration_in_words(*within)),
        (Op::Handoff { within, .. }, _) => format!("nobody hands it over within {}", duration_in_words(*within)),
        (Op::Approve { .. }, Exit::Refused) => "it is not approved".to_owned(),
        (Op::Approve { within, .. }, _) => format!("nobody approves within {}", duration_in_words(*within)),
        (Op::When { .. }, _) => "a value that the condition needs is not there".to_owned(),
        (Op::Check { connector, .. }, _) => format!("{} finds a risk, or cannot tell", named(plan, connector)),
        (Op::Send { carries: Carries::Code, .. }, Exit::Refused) => {
            "the contact rules say no, or the risk is too high".to_owned()
        }
        (Op::Send { .. }, Exit::Refused) => "the contact rules say no".to_owned(),
        (Op::Call { connector, .. }, _) => format!("{} cannot do it", named(plan, connector)),
        (Op::Send { .. }, _) => "the message cannot be delivered".to_owned(),
        (Op::Answer { tries, .. }, Exit::Failed) => count(*tries, "wrong code", "wrong codes"),
        (Op::Answer { within, .. }, _) => format!("no code within {}", duration_in_words(*within)),
        (Op::Disclose { needs: Level::L0, .. }, _) => "nobody is proved at L0 any more".to_owned(),
        (Op::Disclose { needs, .. }, _) => format!("nobody is proved at {needs} any more, or the risk is too high"),
        (Op::Offer { .. }, Exit::Declined) => "the customer says no".to_owned(),
        (Op::Offer { within, .. }, _) => format!("no answer within {}", duration_in_words(*within)),
        (Op::Debit { .. }, Exit::Refused) => "the rules do not permit the charge".to_owned(),
        (Op::Debit { .. }, Exit::Declined) => "the card is declined".to_owned(),
        (Op::Debit { .. }, _) => "the gateway refuses for good".to_owned(),
        (Op::Changed { .. } | Op::Remember { .. }, _) => return None,
        (Op::Open | Op::Card { .. } | Op::Wait { .. } | Op::Keep { .. } | Op::Record { .. }, _) => {
            "the link expires".to_owned()
        }
        (Op::Fresh { needs, anew: false }, _) => format!("the proof of {needs} has run out"),
        (Op::Fresh { needs, .. }, _) => format!("there is no new proof of {needs}"),
        (Op::Join, _) => "a branch did not come to its end".to_owned(),
        (Op::Fork { .. }, _) => return None,
        (Op::Charge { .. } | Op::Validate { .. }, Exit::Declined) => "the card is declined".to_owned(),
        (Op::Charge { tries, .. } | Op::Validate { tries, .. }, _) => {
            let cards = count(*tries, "card", "cards");
            format!("the gateway refuses for good, the last of {cards} is declined, or the risk is too high")
        }
    })
}

/// A connector by the workflow's own name, with the installed one.
fn named(plan: &Plan, own: &str) -> String {
    match plan.uses.get(own) {
        Some(installed) => format!("`{own}` ({installed})"),
        None => format!("`{own}`"),
    }
}

/// An amount, as it is named.
fn named_amount(dictionary: &Dictionary, amount: &Amount) -> String {
    match amount {
        Amount::FirstPart { offer } => format!("the first part of `{offer}`"),
        Amount::Field(path) => field(dictionary, path),
    }
}

/// A field with its class.
fn field(dictionary: &Dictionary, path: &str) -> String {
    match dictionary.class(path) {
        Some(class) => format!("`{path}` ({class})"),
        None => format!("`{path}`"),
    }
}

fn count(number: u32, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Who gets to know what, over all nodes.
fn reaches(plan: &Plan, dictionary: &Dictionary) -> Vec<Reach> {
    let mut known: BTreeMap<(String, Class), BTreeSet<String>> = BTreeMap::new();
    let mut tell = |whom: String, path: &str| {
        if let Some(class) = dictionary.class(path) {
            known.entry((whom, class)).or_default().insert(path.to_owned());
        }
    };
    let installed = |own: &String| plan.uses.get(own).unwrap_or(own).clone();
    for node in &plan.nodes {
        match &node.op {
            Op::Check { connector, subject } => tell(installed(connector), subject),
            Op::Send { connector, to, template, .. } => {
                tell(installed(connector), to);
                for path in plan.templates.get(template).into_iter().flat_map(|template| &template.variables) {
                    tell(installed(connector), path);
                    tell("the customer, by message".to_owned(), path);
                }
            }
            Op::Disclose { fields, words, over, .. } => {
                let template = words.as_ref().and_then(|words| plan.templates.get(words));
                let said = template.into_iter().flat_map(|template| &template.variables);
                fields.iter().chain(said).for_each(|path| tell(format!("the customer, on the {over}"), path));
            }
            Op::Offer { total, .. } => tell("the customer, on the call".to_owned(), total),
            Op::Card { authorization, .. } => {
                for path in plan.templates.get(authorization).into_iter().flat_map(|template| &template.variables) {
                    tell("the customer, on the page".to_owned(), path);
                }
            }
            Op::Charge { connector, .. } | Op::Validate { connector, .. } | Op::Debit { connector, .. } => {
                let card = dictionary.fields.iter().filter(|(_, info)| info.class.is_card());
                card.for_each(|(path, _)| tell(installed(connector), path));
            }
            Op::Call { connector, with, .. } => with.iter().for_each(|(_, path)| tell(installed(connector), path)),
            Op::Approve { terms, of, .. } => {
                for offer in plan.nodes.iter().filter(|offer| offer.step == *terms) {
                    if let Op::Offer { total, .. } = &offer.op {
                        tell(format!("a {of}, to approve"), total);
                    }
                }
            }
            Op::Answer { .. } | Op::Open | Op::Fresh { .. } | Op::Keep { .. } => {}
            Op::Wait { .. } | Op::When { .. } | Op::Ask { .. } | Op::Handoff { .. } => {}
            Op::Changed { .. } | Op::Remember { .. } => {}
            Op::Fork { .. } | Op::Join | Op::Record { .. } => {}
        }
    }
    known.into_iter().map(|((whom, class), fields)| Reach { whom, class, fields }).collect()
}
