//! What people do in a rehearsal, through the doors that the API and the payment page use.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use selvedge_engine::handoff::Handoff;
use selvedge_engine::operate::Act;
use selvedge_engine::page::{Card, Page};
use selvedge_engine::ports::store::RunId;
use selvedge_engine::run::Approval;
use selvedge_engine::{EngineError, Run, Who, decide};
use selvedge_workflow::plan::{Op, Plan};

use super::{Rehearsal, standing, who};
use crate::failure::Failure;

/// A card that every gateway's test mode knows.
const CARD: (&str, &str, &str, &str) = ("4242424242424242", "12", "2049", "123");

/// What a run can ask of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The one-time code.
    Code,
    /// A yes or a no to an offer.
    Answer,
    /// That the link is opened.
    Open,
    /// Agreement and a card.
    Card,
    /// The answer of a colleague.
    Question,
    /// A colleague's yes or no to terms.
    Approval,
    /// That the conversation goes on in another channel.
    Handoff,
}

impl Asked {
    /// In a sentence: "the run waits for …".
    pub fn in_words(self) -> &'static str {
        match self {
            Asked::Code => "a code",
            Asked::Answer => "an answer to the offer",
            Asked::Open => "the link to be opened",
            Asked::Card => "a card",
            Asked::Question => "an answer to the question",
            Asked::Approval => "an approval",
            Asked::Handoff => "a handoff",
        }
    }
}

/// What the run asks of people now, at each place where it waits.
pub fn asked(plan: &Plan, run: &Run) -> Vec<Asked> {
    let asks = |op: &Op| match op {
        Op::Answer { .. } => Some(Asked::Code),
        Op::Offer { .. } => Some(Asked::Answer),
        Op::Open => Some(Asked::Open),
        Op::Card { .. } => Some(Asked::Card),
        Op::Ask { .. } => Some(Asked::Question),
        Op::Approve { .. } => Some(Asked::Approval),
        Op::Handoff { .. } => Some(Asked::Handoff),
        // What nobody is asked for, because the engine does it or time does.
        _ => None,
    };
    let standing = decide::standing(plan, run).unwrap_or_default().into_iter();
    standing.filter(|(_, cursor)| cursor.waits()).filter_map(|(node, _)| asks(&node.op)).collect()
}

/// The agent who took the call.
pub fn agent() -> Who {
    Who {
        actor: "person:agent".into(),
        device: Some("desk".into()),
        function: Some("billing-agent".into()),
        session: None,
    }
}

/// A colleague in this function, who is not the agent.
fn colleague(function: &str) -> Who {
    Who { actor: "person:colleague".into(), function: Some(function.into()), ..agent() }
}

impl Rehearsal {
    /// The customer reads a code from the newest message that carries one: the right one, or another.
    pub async fn give_code(&self, id: &RunId, run: &Run, right: bool) -> miette::Result<()> {
        let code = self.vendors.newest_code(&id.interaction).ok_or_else(|| nothing_arrived(run, "code"))?;
        let given = if right { code } else { another(&code) };
        self.engine.give_code(id, &given, Some(who(run))).await?;
        Ok(())
    }

    /// The customer answers the offer that stands open.
    pub async fn answer(&self, id: &RunId, run: &Run, accepted: bool) -> miette::Result<()> {
        let mut standing = decide::standing(&self.definition.plan, run)?.into_iter();
        let offer = standing.find(|(node, _)| matches!(node.op, Op::Offer { .. }));
        let step = offer.map(|(node, _)| node.step.clone()).unwrap_or_default();
        let terms = run.offers.get(&step).map(|offer| offer.terms.clone()).unwrap_or_default();
        Ok(self.engine.answer(id, &step, accepted, &terms, agent()).await?)
    }

    /// The answers of the question that stands open.
    pub fn answers(&self, run: &Run) -> Vec<String> {
        let question = self.open_at(run, &run.questions, |op| matches!(op, Op::Ask { .. }));
        question.map(|(_, question)| question.answers.clone()).unwrap_or_default()
    }

    /// A colleague in the function that is asked answers the question that stands open.
    pub async fn reply(&self, id: &RunId, run: &Run, answer: &str) -> miette::Result<()> {
        let question = self.open_at(run, &run.questions, |op| matches!(op, Op::Ask { .. }));
        let (step, question) = question.ok_or_else(|| nothing_arrived(run, "question"))?;
        Ok(self.engine.answer_question(id, step, answer, colleague(&question.of)).await?)
    }

    /// A colleague in the function that is asked approves the terms, or refuses them.
    pub async fn approve(&self, id: &RunId, run: &Run, approved: bool) -> miette::Result<()> {
        let (step, asked) = self.approval(run)?;
        Ok(self.engine.approve(id, step, &asked.terms, approved, colleague(&asked.of)).await?)
    }

    /// Who opened the interaction tries to approve its terms. `true`: they were refused.
    pub async fn approve_own(&self, id: &RunId, run: &Run) -> miette::Result<bool> {
        let (step, asked) = self.approval(run)?;
        let who = Who { actor: run.opened_by.clone(), ..colleague(&asked.of) };
        match self.engine.approve(id, step, &asked.terms, true, who).await {
            Err(EngineError::NotYours { .. }) => Ok(true),
            other => Ok(other.map(|()| false)?),
        }
    }

    fn approval<'r>(&self, run: &'r Run) -> miette::Result<(&'r str, &'r Approval)> {
        let asked = self.open_at(run, &run.approvals, |op| matches!(op, Op::Approve { .. }));
        Ok(asked.ok_or_else(|| nothing_arrived(run, "approval"))?)
    }

    /// What is asked at the step where the run waits for it.
    fn open_at<'r, T>(
        &self,
        run: &Run,
        asked: &'r BTreeMap<String, T>,
        is: impl Fn(&Op) -> bool,
    ) -> Option<(&'r str, &'r T)> {
        let mut standing = decide::standing(&self.definition.plan, run).ok()?.into_iter();
        let (node, _) = standing.find(|(node, cursor)| cursor.waits() && is(&node.op))?;
        asked.get_key_value(&node.name).map(|(step, asked)| (step.as_str(), asked))
    }

    /// The agent hands the conversation over to this channel, or to the one that is waited for.
    pub async fn hand_over(&self, id: &RunId, to: Option<&str>) -> miette::Result<()> {
        let run = self.settle(id).await?;
        let awaited = decide::standing(&self.definition.plan, &run)?.into_iter().find_map(|(node, _)| match &node.op {
            Op::Handoff { to, .. } => Some(to.clone()),
            _ => None,
        });
        let to = Handoff { channel: to.map(str::to_owned).or(awaited), agent: None };
        self.engine.operate(id, Act::Handoff(to), "the customer asked for it", agent()).await?;
        Ok(())
    }

    /// The customer presses the button on the first page of the link.
    pub async fn open_link(&self, id: &RunId, run: &Run) -> miette::Result<()> {
        let token = self.token(id, run)?;
        self.engine.open_link(&token).await?;
        Ok(())
    }

    /// The customer agrees to the words on the page and enters a card.
    pub async fn enter_card(&self, id: &RunId, run: &Run) -> miette::Result<()> {
        let token = self.token(id, run)?;
        let gone = || nothing_arrived(run, "working link");
        // The browser in which they proved who they are.
        let first = self.engine.visit(&token, None).await?.ok_or_else(gone)?;
        let mark = first.mark.expose_secret().to_owned();
        let visit = self.engine.visit(&token, Some(&mark)).await?.ok_or_else(gone)?;
        let Page::Card { words_id, .. } = visit.page else { return Err(gone().into()) };
        let (number, month, year, code) = CARD;
        let card = Card::parse(number, month, year, code, 2024, 1);
        // What the page says of it next is in the record.
        let _ = self.engine.take_card(&token, Some(&mark), &words_id, card).await?;
        Ok(())
    }

    fn token(&self, id: &RunId, run: &Run) -> Result<String, Failure> {
        self.vendors.newest_link(&id.interaction, super::PAGE).ok_or_else(|| nothing_arrived(run, "link"))
    }
}

fn nothing_arrived(run: &Run, what: &str) -> Failure {
    Failure::Story { at: standing(run), why: format!("no {what} has reached the customer") }
}

/// A code that differs from this one in its first digit.
fn another(code: &str) -> String {
    let first = if code.starts_with('9') { '0' } else { '9' };
    code.chars().enumerate().map(|(at, digit)| if at == 0 { first } else { digit }).collect()
}

#[cfg(test)]
mod tests {
    use super::another;

    #[test]
    fn another_code_is_never_the_right_one() {
        assert_eq!((another("123456").as_str(), another("923456").as_str()), ("923456", "023456"));
    }
}
