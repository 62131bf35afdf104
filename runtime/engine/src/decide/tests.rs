//! The laws of deciding, over the real healthcare plan and every kind of answer a vendor or a person can give.

mod plans;
mod undo;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use selvedge_policy::{Action, Decision, Reason, Weighed};
use selvedge_record::{Draft, Head};

use self::plans::{bookings, definition, every_kind, with_steps};
use super::*;
use crate::definition::Definition;
use crate::fact::{Commitment, Moment};
use crate::operate::Act;
use crate::ports::store::{RunId, Stored};
use crate::ports::{Failure, Finding, Report, ReportStatus};
use crate::run::At;
use crate::signal::{Delivered, Signal};

const DAY: Micros = 86_400_000_000;
const NOW: Micros = 1_795_449_840_000_000;

/// A record in memory and the run beside it.
struct Sheet {
    run: Run,
    record: Vec<Stored>,
    now: Micros,
}

impl Sheet {
    fn open(definition: &Definition) -> Sheet {
        let id = RunId { tenant: "t".into(), interaction: "int_1".into() };
        let fact = Fact::Opened {
            workflow: "healthcare-balance".into(),
            customer: "c_1".into(),
            channel: "call".into(),
            by: "person:maria".into(),
            connectors: BTreeMap::new(),
            next: definition.plan.nodes[0].name.clone(),
        };
        let mut head = Head::start("t", "int_1");
        let stored = Sheet::write(&mut head, NOW, &fact, &definition.digest);
        let run = Run::begin(&id, head, &definition.digest, NOW, &fact).unwrap();
        Sheet { run, record: vec![stored], now: NOW }
    }

    fn write(head: &mut Head, time: Micros, fact: &Fact, controls: &str) -> Stored {
        let (kind, data) = fact.kind_and_data().unwrap();
        let draft = Draft { controls: Some(controls.into()), ..Draft::new(kind, time, "host", data) };
        let sealed = head.append(draft).unwrap();
        Stored { seq: sealed.seq, canonical: sealed.canonical }
    }

    fn add(&mut self, fact: Fact) {
        let controls = self.run.controls.clone();
        self.record.push(Sheet::write(&mut self.run.head, self.now, &fact, &controls));
        self.run.apply(self.now, &fact);
    }

    fn add_all(&mut self, facts: Vec<Fact>) {
        facts.into_iter().for_each(|f| self.add(f));
    }

    /// One step of the run; `dice` chooses what the outside answers. `false`: it is over.
    fn step(&mut self, definition: &Definition, dice: u8) -> bool {
        let plan = &definition.plan;
        let class_of = |c: &str, f: &str| definition.class_of(c, f);
        match next(plan, &self.run, &class_of, self.now).unwrap() {
            Next::Over | Next::Keep(_) | Next::Remember(_) => return false,
            Next::Take(facts) => self.add_all(facts),
            Next::AskContact(node) => {
                let verdict = match dice % 8 {
                    0 => Verdict::Defer { until: self.now + 3_600_000_000 },
                    1 => Verdict::Deny,
                    _ => Verdict::Permit,
                };
                let reason =
                    Reason { rule: "r".into(), cite: "c".into(), verdict, facts: BTreeMap::new(), says: "s".into() };
                let decision = Decision { verdict, reasons: vec![reason] };
                self.add(contact_decided(plan, &self.run, &node, Moment::Queued, "billing", "sms", decision));
            }
            Next::AskRisk(node) => {
                let verdict = if dice % 8 == 4 { Verdict::Deny } else { Verdict::Permit };
                let decision = Decision { verdict, reasons: Vec::new() };
                self.add(risk_decided(plan, &node, Weighed { action: Action::Refuse, points: 60, decision }));
            }
            Next::Disclose(node) => self.add(Fact::Disclosed {
                node: node.name.clone(),
                over: "call".into(),
                fields: vec![commitment("owed/account.balance")],
                next: target(plan, &node, Exit::Done),
            }),
            Next::Record(node) => self.add_all(noted(plan, &node)),
            Next::Decide(node) => {
                let answer = match dice % 3 {
                    0 => Ok(false),
                    1 => Ok(true),
                    _ if dice > 250 => Err("no value".into()),
                    _ => Ok(true),
                };
                self.add(condition_decided(plan, &node, answer, Vec::new()));
            }
            Next::Count(node) => self.add(forked(plan, &node, u32::from(dice % 5))),
            Next::Offer(node) => self.add(Fact::Offered {
                node: node.name.clone(),
                terms: commitment("plan/terms"),
                payments: 3,
                until: self.now + 900_000_000,
            }),
            Next::Try(node, effect) => self.attempt(definition, &node, effect, dice),
            Next::Ask(node, effect, times) => {
                let report = |status| {
                    Some(Report {
                        event_id: "e".into(),
                        idempotency_key: effect.key.clone(),
                        status,
                        reference: "ch_1".into(),
                        detail: "said".into(),
                    })
                };
                let result = match dice % 5 {
                    0 => Ok(None),
                    1 => Ok(report(ReportStatus::Succeeded)),
                    2 => Ok(report(ReportStatus::Failed)),
                    3 => Ok(report(ReportStatus::Pending)),
                    _ => Err(Failure::Unknown("no answer".into())),
                };
                let answer = Observed { result, accesses: Vec::new(), refusals: Vec::new() };
                let facts = asked(plan, &self.run, &node, &effect, times, answer, self.now);
                self.add_all(facts);
            }
            Next::Park => self.outside(definition, dice),
        }
        true
    }

    fn attempt(&mut self, definition: &Definition, node: &Node, effect: Effect, dice: u8) {
        if let Op::Send { carries: selvedge_workflow::plan::Carries::Link { opens, lasts }, .. } = &node.op {
            let expires = self.now + lasts;
            self.add(Fact::LinkIssued {
                node: node.name.clone(),
                link: "l".into(),
                opens: opens.clone(),
                terms: None,
                expires,
            });
        }
        let connector = connector(&definition.plan, node).to_owned();
        let class = class(&definition.plan, node, &|c: &str, f: &str| definition.class_of(c, f));
        self.add(Fact::Intended {
            epoch: 0,
            workflow: String::new(),
            vendor: String::new(),
            channel: String::new(),
            node: node.name.clone(),
            key: effect.key.clone(),
            connector,
            function: function(&node.op).into(),
            class: class.clone(),
            attempt: effect.attempt,
            hands: Vec::new(),
            carries: Vec::new(),
        });
        if dice.is_multiple_of(11) {
            return; // The process ends here: an intent without an outcome.
        }
        fn seen<T>(result: Result<T, Failure>) -> Observed<T> {
            Observed { result, accesses: Vec::new(), refusals: Vec::new() }
        }
        let failure = match dice % 9 {
            0 => Some(Failure::Retry("busy".into())),
            1 => Some(Failure::Unknown("no answer".into())),
            2 => Some(Failure::Permanent("no".into())),
            _ => None,
        };
        let outcome = match (&node.op, failure) {
            (Op::Charge { .. }, Some(f)) => Outcome::Charged(seen(Err(f))),
            (Op::Charge { .. }, None) if dice.is_multiple_of(2) => {
                Outcome::Charged(seen(Ok(Charged::Declined("card_declined".into()))))
            }
            (Op::Charge { .. }, None) => Outcome::Charged(seen(Ok(Charged::Paid("ch_1".into())))),
            (Op::Check { .. }, Some(f)) => Outcome::Checked(seen(Err(f))),
            (Op::Check { .. }, None) => Outcome::Checked(seen(Ok(Finds {
                name: "sim-swap".into(),
                finding: Finding::Clear,
                reason: "old".into(),
            }))),
            (Op::Call { .. }, Some(f)) => Outcome::Answered(seen(Err(f))),
            (Op::Call { .. }, None) => Outcome::Answered(seen(Ok(commitment("sim-score/answer/1")))),
            (_, Some(f)) => Outcome::Sent(seen(Err(f))),
            (_, None) => Outcome::Sent(seen(Ok("msg_1".into()))),
        };
        let facts = after(&definition.plan, &self.run, node, &effect, &class, outcome, self.now);
        self.add_all(facts);
    }

    /// Somebody does something, or time passes.
    fn outside(&mut self, definition: &Definition, dice: u8) {
        // Of several places any one may hear of something, and time passes for all.
        let waits: Vec<String> =
            self.run.cursors.iter().filter(|cursor| cursor.waits()).map(|cursor| cursor.place.clone()).collect();
        let name = waits.get(usize::from(dice) % waits.len().max(1)).cloned().unwrap_or_default();
        let step = crate::run::step_of(&name).into_owned();
        let stuck: Vec<&Cursor> = self.run.cursors.iter().filter(|cursor| cursor.needs_person().is_some()).collect();
        let stuck = stuck.get(usize::from(dice) % stuck.len().max(1)).map(|cursor| step_of(&cursor.place).into_owned());
        let operate = |act: Act| Some(Signal::Operate { act, reason: "seen to".into() });
        let signal = match (dice % 4, name.as_str()) {
            (_, _) if dice % 32 == 30 => operate(Act::Cancel),
            (1, _) if stuck.is_some() => operate(Act::Retry),
            (said, _) if let Some(step) = stuck => {
                let said = if said == 2 { Act::Done("b_1".into()) } else { Act::NotDone };
                operate(Act::At(step, Box::new(said)))
            }
            (0, _) => None,
            (_, n) if n.ends_with(".answer") => self
                .run
                .messages
                .get(&step)
                .map(|key| Signal::Code { key: key.clone(), matched: !dice.is_multiple_of(3) }),
            (_, "plan") => Some(Signal::Answer { step, accepted: !dice.is_multiple_of(5), terms: "00".into() }),
            (_, "review") => Some(Signal::Told { step, answer: "fine".into() }),
            (_, "second-look") => {
                let terms = self.run.offers.get("plan").map(|offer| offer.terms.clone()).unwrap_or_default();
                Some(Signal::Approval { step, terms, approved: !dice.is_multiple_of(5) })
            }
            (_, n) if n.ends_with(".open") => Some(Signal::LinkOpened { link: "l".into() }),
            (_, n) if n.ends_with(".card") => Some(Signal::Card {
                step,
                token: "tok_1".into(),
                brand: "visa".into(),
                last4: "4242".into(),
                words: commitment("first-payment/authorization/1"),
                sealed: String::new(),
            }),
            _ => None,
        };
        match signal {
            Some(signal) => {
                let who = crate::signal::Who {
                    actor: "person:sam".into(),
                    function: Some("supervisor".into()),
                    ..Default::default()
                };
                let delivered = Delivered { signal, who, at: self.now };
                let facts = on_signal(&definition.plan, &self.run, &delivered).unwrap();
                self.add_all(facts);
            }
            None => self.now += if dice.is_multiple_of(2) { DAY } else { 600_000_000 },
        }
    }
}

fn commitment(name: &str) -> Commitment {
    Commitment { name: name.into(), class: "PHI".into(), commitment: "00".into() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The record is the journal: any prefix of it folds to the very state that wrote it, so a process that
    /// ends anywhere goes on as if it had not.
    #[test]
    fn any_prefix_of_a_record_folds_to_the_state_that_wrote_it(dice in proptest::collection::vec(any::<u8>(), 1..120)) {
        let definition = [definition, every_kind, bookings][usize::from(dice[0]) % 3]();
        let mut sheet = Sheet::open(&definition);
        let mut states = vec![(sheet.record.len(), sheet.run.clone())];
        for die in dice {
            if !sheet.step(&definition, die) {
                break;
            }
            states.push((sheet.record.len(), sheet.run.clone()));
        }
        for (len, state) in states {
            let folded = Run::fold(&sheet.run.id, &sheet.record[..len]).unwrap();
            prop_assert_eq!(folded, state);
        }
    }

    /// Whatever the outside does, a charge is never tried while an earlier one may have happened, at most one
    /// is paid, nothing is disclosed or charged without a permit, and the run never points outside its plan.
    #[test]
    fn money_moves_at_most_once_and_never_blindly(dice in proptest::collection::vec(any::<u8>(), 1..250)) {
        let definition = if dice[0] % 2 == 0 { definition() } else { every_kind() };
        let mut sheet = Sheet::open(&definition);
        for die in dice {
            if !sheet.step(&definition, die) {
                break;
            }
        }
        let (mut open, mut paid, mut permitted) = (BTreeSet::new(), 0, BTreeSet::new());
        for stored in &sheet.record {
            let event = selvedge_record::Event::parse(&stored.canonical).unwrap();
            match Fact::from_kind_and_data(&event.kind, event.data).unwrap() {
                Fact::AssuranceDecided { node, next: None, .. } => drop(permitted.insert(node)),
                Fact::Disclosed { node, .. } => prop_assert!(permitted.contains(&node)),
                Fact::Intended { node, key, function, .. } if function == "charge" => {
                    prop_assert!(open.is_empty(), "a second charge while `{:?}` is open", open);
                    prop_assert!(permitted.contains(&node));
                    open.insert(key);
                }
                Fact::Done { key, exit, node, .. } => {
                    open.remove(&key);
                    paid += i32::from(exit == "done" && node.ends_with(".charge"));
                }
                Fact::CardForgotten { .. } => open.clear(),
                Fact::ApprovalDecided { terms, .. } => prop_assert_eq!(terms, "00", "only what was offered is approved"),
                _ => {}
            }
        }
        prop_assert!(paid <= 1);
    }
}

#[test]
fn a_link_that_nobody_opens_runs_out() {
    let definition = definition();
    let mut sheet = Sheet::open(&definition);
    until(&mut sheet, &definition, "first-payment.open", |phase| matches!(phase, Phase::Waiting(_)));
    sheet.now += 3 * DAY;
    while sheet.step(&definition, 7) {}
    assert_eq!(sheet.run.at(), At::End("failed".into()));
    assert!(sheet.run.closed && sheet.run.payments.is_empty());
}

#[test]
fn an_unclear_charge_is_settled_by_the_vendors_signed_word_alone() {
    let definition = definition();
    let mut sheet = Sheet::open(&definition);
    for _ in 0..80 {
        if matches!(sheet.run.at(), At::Node(n) if n == "first-payment.charge")
            && matches!(sheet.run.phase(), Phase::Permitted)
        {
            break;
        }
        sheet.step(&definition, 7);
    }
    sheet.step(&definition, 10); // 10 % 9 = 1: no answer
    let Phase::Unclear(effect, ..) = sheet.run.phase().clone() else { panic!("{:?}", sheet.run.phase()) };
    let now = sheet.now;
    let told = |status, event: &str| Delivered {
        signal: Signal::Reported {
            connection: "northgate".into(),
            connector: "northgate-cards".into(),
            report: Report {
                event_id: event.into(),
                idempotency_key: effect.key.clone(),
                status,
                reference: "ch_9".into(),
                detail: "charge.succeeded".into(),
            },
        },
        who: crate::signal::Who::host(),
        at: now,
    };
    let pending = on_signal(&definition.plan, &sheet.run, &told(ReportStatus::Pending, "e1")).unwrap();
    assert!(
        matches!(pending.as_slice(), [Fact::Reported { .. }]),
        "pending is recorded and settles nothing: {pending:?}"
    );
    let done = on_signal(&definition.plan, &sheet.run, &told(ReportStatus::Succeeded, "e2")).unwrap();
    assert!(matches!(done.as_slice(), [Fact::Reported { .. }, Fact::Done { exit, .. }] if exit == "done"), "{done:?}");
    sheet.add_all(done);
    let again = on_signal(&definition.plan, &sheet.run, &told(ReportStatus::Succeeded, "e3")).unwrap();
    assert!(matches!(again.as_slice(), [Fact::Reported { .. }]), "a second report pays nothing: {again:?}");
}

#[test]
fn a_workflow_that_narrows_a_class_is_obeyed_after_a_crash() {
    let definition = definition();
    let mut sheet = Sheet::open(&definition);
    sheet.step(&definition, 11); // the process ends between intent and outcome
    let Phase::Intended(effect) = sheet.run.phase().clone() else { panic!("{:?}", sheet.run.phase()) };
    let mut plan = definition.plan.clone();
    let narrowed = |class: Option<&str>| Op::Call {
        connector: "sim".into(),
        function: "score".into(),
        with: Vec::new(),
        purpose: "billing".into(),
        class: class.map(str::to_owned),
    };
    let declared = |_: &str, _: &str| "idempotent".to_owned();
    plan.nodes[0].op = narrowed(None);
    let again = next(&plan, &sheet.run, &declared, sheet.now).unwrap();
    assert!(matches!(again, Next::Try(_, Effect { attempt: 2, ref key, .. }) if *key == effect.key), "{again:?}");
    plan.nodes[0].op = narrowed(Some("never-retry"));
    let asked = next(&plan, &sheet.run, &declared, sheet.now).unwrap();
    assert!(matches!(&asked, Next::Take(facts) if matches!(facts[..], [Fact::NeedsPerson { .. }])), "{asked:?}");
}

#[test]
fn what_a_service_answered_is_known_by_its_commitment_alone() {
    let definition = definition();
    let mut sheet = Sheet::open(&definition);
    let node = &definition.plan.nodes[0];
    let effect = Effect { key: sheet.run.key(&node.name), attempt: 1, since: sheet.now };
    let answer = commitment("identity/answer/1");
    let outcome =
        Outcome::Answered(Observed { result: Ok(answer.clone()), accesses: Vec::new(), refusals: Vec::new() });
    let facts = after(&definition.plan, &sheet.run, node, &effect, "pure", outcome, sheet.now);
    sheet.add_all(facts);
    assert_eq!(sheet.run.answers.get("identity"), Some(&answer));
    assert_eq!(Run::fold(&sheet.run.id, &sheet.record).unwrap(), sheet.run);
}

/// Plays the story well until the run stands at this node in this phase.
fn until(sheet: &mut Sheet, definition: &Definition, node: &str, there: impl Fn(&Phase) -> bool) {
    for _ in 0..120 {
        if matches!(sheet.run.at(), At::Node(n) if n == node) && there(sheet.run.phase()) {
            return;
        }
        sheet.step(definition, 7);
    }
    panic!("the story does not come to `{node}`: {:?} {:?}", sheet.run.at(), sheet.run.phase());
}

fn ruled(sheet: &mut Sheet, definition: &Definition, verdict: Verdict) {
    let node = node(&definition.plan, &sheet.run.cursors[0].place).unwrap();
    let fact = contact_decided(
        &definition.plan,
        &sheet.run,
        &node,
        Moment::Sending,
        "billing",
        "sms",
        Decision { verdict, reasons: Vec::new() },
    );
    sheet.add(fact);
}

#[test]
fn nobody_approves_for_themselves_even_through_the_inbox() {
    let definition = with_steps("  - approve: { id: second-look, terms: plan, of: supervisor, within: 1d }\n");
    let mut sheet = Sheet::open(&definition);
    until(&mut sheet, &definition, "second-look", |p| matches!(p, Phase::Waiting(_)));
    let approval = |actor: &str, function: &str, terms: &str| Delivered {
        signal: Signal::Approval { step: "second-look".into(), terms: terms.into(), approved: true },
        who: crate::signal::Who { actor: actor.into(), function: Some(function.into()), ..Default::default() },
        at: sheet.now,
    };
    let facts = |delivered: &Delivered| on_signal(&definition.plan, &sheet.run, delivered).unwrap();
    assert_eq!(facts(&approval("person:maria", "supervisor", "00")), [], "she opened it");
    assert_eq!(facts(&approval("person:sam", "billing-agent", "00")), [], "he is no supervisor");
    assert_eq!(facts(&approval("person:sam", "supervisor", "11")), [], "these are other terms");
    assert_eq!(facts(&approval("person:sam", "supervisor", "00")).len(), 1);
}

#[test]
fn another_vendor_cannot_say_that_a_card_was_charged() {
    let definition = definition();
    let mut sheet = Sheet::open(&definition);
    until(&mut sheet, &definition, "first-payment.charge", |p| matches!(p, Phase::Permitted));
    sheet.step(&definition, 10);
    let Phase::Unclear(effect, ..) = sheet.run.phase().clone() else { panic!("{:?}", sheet.run.phase()) };
    let forged = Delivered {
        signal: Signal::Reported {
            connection: "brightline".into(),
            connector: "brightline-sms".into(),
            report: Report {
                event_id: "e1".into(),
                idempotency_key: effect.key,
                status: ReportStatus::Succeeded,
                reference: "ch_forged".into(),
                detail: "charge.succeeded".into(),
            },
        },
        who: crate::signal::Who::host(),
        at: sheet.now,
    };
    let facts = on_signal(&definition.plan, &sheet.run, &forged).unwrap();
    assert!(matches!(facts.as_slice(), [Fact::Reported { .. }]), "it is written down and settles nothing: {facts:?}");
}

#[test]
fn a_message_that_may_have_left_stays_under_way_when_quiet_hours_begin() {
    let definition = definition();
    let mut sheet = Sheet::open(&definition);
    until(&mut sheet, &definition, "invitation", |p| matches!(p, Phase::Permitted));
    sheet.step(&definition, 11); // the process ends between intent and outcome
    assert!(matches!(sheet.run.phase(), Phase::Intended(_)));
    let morning = sheet.now + 3_600_000_000;
    ruled(&mut sheet, &definition, Verdict::Defer { until: morning });
    let Phase::Postponed(effect, at) = sheet.run.phase() else { panic!("{:?}", sheet.run.phase()) };
    assert_eq!((effect.attempt, *at), (1, morning), "the next attempt is the second, under the same key");
}

#[test]
fn a_message_that_may_have_left_is_asked_about_when_the_customer_says_stop() {
    let definition = definition();
    let mut sheet = Sheet::open(&definition);
    until(&mut sheet, &definition, "invitation", |p| matches!(p, Phase::Permitted));
    sheet.step(&definition, 11);
    ruled(&mut sheet, &definition, Verdict::Deny);
    assert!(matches!(sheet.run.phase(), Phase::Unclear(..)), "{:?}", sheet.run.phase());
    sheet.now += SETTLE;
    sheet.step(&definition, 5); // the vendor never heard of it
    while sheet.step(&definition, 5) {}
    assert_eq!(sheet.run.at(), At::End("failed".into()), "and it is not sent any more");
}

#[test]
fn a_card_is_kept_on_no_way_that_leaves_its_charge() {
    let definition = definition();
    for dice in [2, 4, 8, 10] {
        // permanent, declined, declined, unclear
        let mut sheet = Sheet::open(&definition);
        until(&mut sheet, &definition, "first-payment.charge", |p| matches!(p, Phase::Permitted));
        sheet.step(&definition, dice);
        let there = matches!(sheet.run.at(), At::Node(n) if n == "first-payment.charge");
        assert_eq!(sheet.run.card.is_some(), there, "dice {dice}: {:?}", sheet.run.at());
    }
}

#[test]
fn in_a_restored_run_money_is_asked_about_and_what_must_not_come_twice_goes_to_a_person() {
    let definition = definition();
    let mut sheet = Sheet::open(&definition);
    until(&mut sheet, &definition, "first-payment.charge", |p| matches!(p, Phase::Permitted));
    let node = node(&definition.plan, &sheet.run.cursors[0].place).unwrap();
    let effect = Effect { key: sheet.run.key(&node.name), attempt: 1, since: sheet.now };
    let classes = ["pure", "idempotent", "reconcile", "never-retry"];
    for class in classes {
        assert_eq!(before(&sheet.run, &node, &effect, class), Before::Leave, "{class}: nothing is asked for nothing");
    }
    sheet.add(Fact::Restored { until: sheet.now });
    let [pure, idempotent, reconcile, never] = classes.map(|class| before(&sheet.run, &node, &effect, class));
    assert_eq!((pure, idempotent, reconcile), (Before::Leave, Before::Leave, Before::Ask));
    assert!(
        matches!(&never, Before::Take(facts) if matches!(facts.as_slice(), [Fact::NeedsPerson { .. }])),
        "{never:?}"
    );
}
