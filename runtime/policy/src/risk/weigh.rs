//! What the risk comes to where something is about to happen: signals of this interaction and what others of the same
//! customer have found, to one decision.

use jiff::Timestamp;

use super::{Action, Finding, Risk, RiskReason};
use crate::customer::RiskFound;
use crate::decision::{Decision, Reason, Verdict};

/// The rule's name where no single rule says it.
const RULE: &str = "risk";

/// What is about to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A code would prove who it is, and the channel that it would go over has to be clear: what was found there, or not
    /// found, decides by itself. No code is sent.
    Channel,
    /// A code is to leave. It is itself the proof that a step-up asks for.
    Code,
    /// Something that only the customer may have.
    Action,
}

/// What is known when a risk is weighed.
#[derive(Clone, Copy, Debug)]
pub struct Weighing<'a> {
    /// What is about to happen.
    pub place: Place,
    /// What signals found in this interaction, and when, in UTC microseconds.
    pub found: &'a [(&'a str, Finding, i64)],
    /// What was found with this customer, here and elsewhere.
    pub inherited: &'a [RiskFound],
    /// This interaction.
    pub interaction: &'a str,
    /// When the customer last proved who they are, in this interaction.
    pub proved: Option<i64>,
    /// UTC microseconds.
    pub now: i64,
}

/// What it comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighed {
    /// The action of the level that the points reach.
    pub action: Action,
    /// The sum.
    pub points: u32,
    /// Whether it may happen, with the rules that added points.
    pub decision: Decision,
}

impl Risk {
    /// Weighs the risk. A step-up is satisfied by a proof that is younger than every risk that was found; a refusal by
    /// nothing but its end.
    #[must_use]
    pub fn weigh(&self, weighing: &Weighing<'_>) -> Weighed {
        let holding = || weighing.inherited.iter().filter(|risk| risk.until > weighing.now);
        let own = weighing.found.iter().map(|(signal, finding, _)| (*signal, *finding));
        let signals: Vec<(&str, Finding)> =
            own.chain(holding().map(|risk| (risk.signal.as_str(), Finding::Raised))).collect();
        let assessed = self.assess(&signals);
        let raised = weighing.found.iter().filter(|(_, finding, _)| *finding == Finding::Raised).map(|(.., at)| *at);
        let newest = raised.chain(holding().map(|risk| risk.at)).max();
        let proved_since = weighing.proved.is_some_and(|proved| newest.is_none_or(|newest| newest <= proved));
        let may = match (assessed.action, weighing.place) {
            (_, Place::Channel) => false,
            (Action::Allow, _) | (Action::StepUp, Place::Code) => true,
            (Action::StepUp, Place::Action) => proved_since,
            (Action::Refuse | Action::Person, _) => false,
        };
        let any_raised = assessed.reasons.iter().any(|reason| reason.finding == Finding::Raised);
        let objects = |reason: &RiskReason| !may && (!any_raised || reason.finding == Finding::Raised);
        let mut reasons: Vec<Reason> = assessed
            .reasons
            .iter()
            .filter(|reason| reason.points > 0)
            .map(|reason| {
                let verdict = if objects(reason) { Verdict::Deny } else { Verdict::Permit };
                let told = Reason::new(&reason.rule, &reason.cite, verdict, &reason.says)
                    .fact("points", reason.points.to_string())
                    .fact("finding", word(reason.finding));
                self.inheritance(weighing, reason, told)
            })
            .collect();
        if reasons.is_empty() {
            let verdict = if may { Verdict::Permit } else { Verdict::Deny };
            reasons.push(Reason::new(RULE, &self.cite, verdict, "nothing that is known adds to the risk"));
        }
        let decision = if may { Decision::permit(reasons) } else { Decision::deny(reasons) };
        Weighed { action: assessed.action, points: assessed.points, decision }
    }

    /// Says of a risk that another interaction found where and until when.
    fn inheritance(&self, weighing: &Weighing<'_>, reason: &RiskReason, told: Reason) -> Reason {
        let signal = self.rules.iter().find(|rule| rule.id == reason.rule).map_or("", |rule| rule.signal.as_str());
        let here = weighing.found.iter().any(|(name, finding, _)| *name == signal && *finding == Finding::Raised);
        let elsewhere = weighing
            .inherited
            .iter()
            .filter(|risk| risk.signal == signal && risk.until > weighing.now && risk.found_in != weighing.interaction);
        match elsewhere.max_by_key(|risk| risk.until) {
            Some(risk) if !here => told.fact("found-in", &risk.found_in).fact("holds-until", moment(risk.until)),
            _ => told,
        }
    }
}

fn word(finding: Finding) -> &'static str {
    match finding {
        Finding::Missing => "missing",
        Finding::Clear => "clear",
        Finding::Raised => "raised",
    }
}

fn moment(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_772_463_600_000_000;
    const HOUR: i64 = 3_600_000_000;

    fn shipped() -> Risk {
        Risk::load("risk.yaml", include_str!("../../../../workflows/policies/risk.yaml")).unwrap()
    }

    fn weighing<'a>(place: Place, found: &'a [(&'a str, Finding, i64)], inherited: &'a [RiskFound]) -> Weighing<'a> {
        Weighing { place, found, inherited, interaction: "int_2", proved: None, now: NOW }
    }

    /// The verdict, and the rules that say no.
    fn told(weighing: &Weighing<'_>) -> (Action, Verdict, Vec<String>) {
        let Weighed { action, decision, .. } = shipped().weigh(weighing);
        let against = decision.reasons.iter().filter(|reason| reason.verdict == Verdict::Deny);
        (action, decision.verdict, against.map(|reason| reason.rule.clone()).collect())
    }

    fn swapped(until: i64) -> [RiskFound; 1] {
        [RiskFound { signal: "sim-swap".into(), at: NOW - HOUR, until, found_in: "int_1".into() }]
    }

    const CLEAR: [(&str, Finding, i64); 3] = [
        ("sim-swap", Finding::Clear, NOW),
        ("number-ported", Finding::Clear, NOW),
        ("failed-verification", Finding::Clear, NOW),
    ];

    #[test]
    fn where_nothing_is_found_everything_goes_on() {
        for place in [Place::Code, Place::Action] {
            assert_eq!(told(&weighing(place, &CLEAR, &[])), (Action::Allow, Verdict::Permit, vec![]));
        }
    }

    #[test]
    fn a_later_try_inherits_a_risk_until_it_ends() {
        let no = (Action::Refuse, Verdict::Deny, vec!["risk.sim-swap".to_owned()]);
        for place in [Place::Code, Place::Action] {
            assert_eq!(told(&weighing(place, &CLEAR, &swapped(NOW + 1))), no, "a clear answer now lowers nothing");
        }
        assert_eq!(told(&weighing(Place::Code, &CLEAR, &swapped(NOW))).1, Verdict::Permit);
        let decision = shipped().weigh(&weighing(Place::Code, &CLEAR, &swapped(NOW + HOUR))).decision;
        assert_eq!(decision.reasons[0].facts["found-in"], "int_1");
        assert_eq!(decision.reasons[0].facts["holds-until"], "2026-03-02 16:00:00 UTC");
    }

    #[test]
    fn a_step_up_is_satisfied_by_a_proof_that_is_younger_than_the_risk() {
        let failed = [RiskFound {
            signal: "failed-verification".into(),
            at: NOW - HOUR,
            until: NOW + HOUR,
            found_in: "int_1".into(),
        }];
        let asks = weighing(Place::Action, &CLEAR, &failed);
        let no = (Action::StepUp, Verdict::Deny, vec!["risk.failed-verification".to_owned()]);
        assert_eq!(told(&asks), no, "nobody proved anything");
        assert_eq!(told(&Weighing { proved: Some(NOW - HOUR - 1), ..asks }), no, "proved before it was found");
        assert_eq!(told(&Weighing { proved: Some(NOW - HOUR), ..asks }).1, Verdict::Permit);
        assert_eq!(told(&weighing(Place::Code, &CLEAR, &failed)).1, Verdict::Permit, "the code is the proof");
    }

    #[test]
    fn silence_asks_for_the_proof_that_the_action_asks_for_anyway() {
        let silent = weighing(Place::Action, &[], &[]);
        assert_eq!(told(&silent).1, Verdict::Deny);
        assert_eq!(told(&Weighing { proved: Some(0), ..silent }), (Action::StepUp, Verdict::Permit, vec![]));
    }

    #[test]
    fn a_channel_that_is_not_clear_carries_no_code_however_few_the_points() {
        let found = [("sim-swap", Finding::Missing, NOW), CLEAR[1], CLEAR[2]];
        let no = (Action::StepUp, Verdict::Deny, vec!["risk.sim-swap".to_owned()]);
        assert_eq!(told(&weighing(Place::Channel, &found, &[])), no);
        let unknown = [CLEAR[0], CLEAR[1], CLEAR[2], ("of-nobody", Finding::Raised, NOW)];
        let no = (Action::Allow, Verdict::Deny, vec!["risk".to_owned()]);
        assert_eq!(told(&weighing(Place::Channel, &unknown, &[])), no, "no rule asks about it, and it was not clear");
    }
}
