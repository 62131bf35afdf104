//! The customer's side of a link: what the payment page shows now, and what the customer does there. Codes and
//! cards end here: a code is compared, a card goes to the vault, and only then is anything written down.

use secrecy::{ExposeSecret, SecretString};
use selvedge_vault::link_id;
pub use selvedge_vault::{Card, CardFault};
use selvedge_workflow::plan::{Node, Op};

use crate::act::code_context;
use crate::decide;
use crate::definition::Definition;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::ports::Micros;
use crate::ports::store::RunId;
use crate::run::{Cursor, Phase, Run};
use crate::signal::{Signal, Who};
use crate::values::to_base64;

/// How long a security code stays in memory at most.
const CODE_LIVES: Micros = 900_000_000;

/// What the page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// A first page with one button; previews of links press no buttons.
    Start,
    /// A code was sent; it is awaited.
    Code {
        /// Tries left.
        left: u32,
    },
    /// The words to agree to, and the card.
    Card {
        /// The amount in words; `None`: the card is kept, and nothing is taken now.
        amount: Option<String>,
        /// The authorization.
        words: String,
        /// Names exactly these words; comes back with the card.
        words_id: String,
        /// The vendor's word when a card was just refused.
        declined: Option<String>,
    },
    /// Somebody proved who they are, but not in this browser.
    ProveAgain,
    /// An effect is under way.
    Working,
    /// Maybe charged; we are asking.
    Unclear,
    /// Paid.
    Paid {
        /// The gateway's reference.
        reference: String,
        /// The copy of the authorization.
        words: String,
    },
    /// The card is on file.
    Kept {
        /// `Visa`.
        brand: String,
        /// The last four digits.
        last4: String,
        /// The copy of the authorization.
        words: String,
    },
    /// The link opens nothing any more, in words for the customer.
    Gone(&'static str),
}

/// A link followed by somebody.
pub struct Visit {
    /// The run behind it.
    pub id: RunId,
    /// The step that it opens.
    pub step: String,
    /// What to show.
    pub page: Page,
    /// Marks the browser in which the customer proved who they are. A secret.
    pub mark: SecretString,
}

/// Why a card was not taken.
pub enum Untaken {
    /// The customer can mend it.
    Card(CardFault),
    /// The page has moved on; show it again.
    Moved,
}

impl Engine {
    /// What a link shows now to a browser that holds `mark` (if any). `None`: no such link.
    pub async fn visit(&self, token: &str, mark: Option<&str>) -> Result<Option<Visit>, EngineError> {
        let Some((id, step)) = self.store().link(&link_id(token)).await? else { return Ok(None) };
        let run = self.run_state(&id).await?;
        let definition = self.definition(&id.tenant, &run.workflow, &run.controls).await?;
        let own = self.mark(&run);
        // Hashed first, so that the time it takes tells nothing about the mark.
        let proved = mark.is_some_and(|m| link_id(m) == link_id(own.expose_secret()));
        let page = self.page(&definition, &run, &step, proved).await?;
        Ok(Some(Visit { id, step, page, mark: own }))
    }

    /// Bound to the newest assertion, so that a new proof makes a new mark.
    fn mark(&self, run: &Run) -> SecretString {
        let newest = run.assertions.last().map_or(0, |a| a.issued);
        self.inner.parts.vault.link_token(&format!("mark/{}/{}/{newest}", run.id.tenant, run.id.interaction))
    }

    async fn page(&self, definition: &Definition, run: &Run, step: &str, proved: bool) -> Result<Page, EngineError> {
        if let (Some((reference, _)), true) = (run.payments.get(step), proved) {
            return Ok(Page::Paid { reference: reference.clone(), words: self.agreed(run, step).await? });
        }
        if let (Some(card), true) = (run.kept.get(step), proved) {
            let (brand, last4) = (card.brand.clone(), card.last4.clone());
            return Ok(Page::Kept { brand, last4, words: self.agreed(run, step).await? });
        }
        if run.payments.contains_key(step) || run.kept.contains_key(step) {
            return Ok(Page::Gone("This link has been used. It works once."));
        }
        // Maybe charged comes before everything: nobody is sent away to pay again.
        let at_step = decide::standing(&definition.plan, run)?.into_iter().find(|(node, _)| node.step == step);
        match at_step.as_ref().map(|(_, cursor)| &cursor.phase) {
            Some(Phase::Unclear(..) | Phase::NeedsPerson(..)) => return Ok(Page::Unclear),
            Some(Phase::Intended(_)) => return Ok(Page::Working),
            _ => {}
        }
        if run.links.get(step).is_none_or(|l| l.expires <= self.now()) {
            return Ok(Page::Gone("This link has expired. Please call us for a new one."));
        }
        let Some((node, cursor)) = at_step else {
            return Ok(match run.ended {
                None => Page::Working,
                Some(_) => Page::Gone("This link is closed. Please call us."),
            });
        };
        Ok(match (&node.op, &cursor.phase) {
            (Op::Open, Phase::Waiting(_)) => Page::Start,
            (Op::Answer { tries, .. }, Phase::Waiting(_)) => Page::Code { left: tries.saturating_sub(cursor.wrong) },
            (Op::Card { .. }, Phase::Waiting(_)) if !proved => Page::ProveAgain,
            (Op::Card { authorization, amount }, Phase::Waiting(_)) => {
                let amount = match amount {
                    Some(amount) => Some(self.inner.values.amount(run, amount).await?.0.in_words()),
                    None => None,
                };
                let words = self.words(definition, run, &node, authorization).await?;
                Page::Card { amount, words_id: words_id(&words), words, declined: run.declined_for.clone() }
            }
            _ => Page::Working,
        })
    }

    /// The words that the customer agreed to at a step; empty once nobody can open them any more.
    async fn agreed(&self, run: &Run, step: &str) -> Result<String, EngineError> {
        let Some(words) = run.authorizations.get(step) else { return Ok(String::new()) };
        let opened = self.inner.values.opened(&run.id, &words.name).await?;
        Ok(opened.map_or_else(String::new, |(_, words)| words.expose_secret().to_owned()))
    }

    /// The words of a template, with the values of its fields in them.
    pub(crate) async fn words(
        &self,
        definition: &Definition,
        run: &Run,
        node: &Node,
        template: &str,
    ) -> Result<String, EngineError> {
        let template = definition
            .plan
            .text(template, run.language.as_deref())
            .ok_or_else(|| EngineError::Broken { what: format!("no template `{template}`") })?;
        let values = self.template_values(definition, run, node, template).await?;
        let plain = values.iter().map(|(path, value)| (path.clone(), value.expose_secret().to_owned())).collect();
        Ok(template
            .render(&plain)
            .map_err(|e| EngineError::Broken { what: e.to_diagnostic().to_string() })?
            .trim_end()
            .to_owned())
    }

    /// The customer pressed "continue". `true`: nobody had before.
    pub async fn open_link(&self, token: &str) -> Result<bool, EngineError> {
        let link = link_id(token);
        let Some((id, _)) = self.store().link(&link).await? else { return Ok(false) };
        let run = self.run_state(&id).await?;
        let who = Who::customer(&run.customer);
        let first = self.deliver(&id, &format!("open/{link}"), Signal::LinkOpened { link }, who).await?;
        self.settle(&id).await?;
        Ok(first)
    }

    /// The customer asks to prove again who they are, in this browser.
    pub async fn prove_again(&self, token: &str) -> Result<(), EngineError> {
        let Some((id, step)) = self.store().link(&link_id(token)).await? else { return Ok(()) };
        let run = self.run_state(&id).await?;
        let visits: u32 = run.visits.values().sum();
        let who = Who::customer(&run.customer);
        self.deliver(&id, &format!("again/{step}/{visits}"), Signal::ProveAgain { step }, who).await?;
        self.settle(&id).await?;
        Ok(())
    }

    /// A code, given on the page (by the customer) or read to an agent. `true`: it was the one. The code itself
    /// is compared here and goes nowhere else.
    pub async fn give_code(&self, id: &RunId, code: &str, who: Option<Who>) -> Result<bool, EngineError> {
        let run = self.settle(id).await?;
        let definition = self.definition(&id.tenant, &run.workflow, &run.controls).await?;
        let mut standing = decide::standing(&definition.plan, &run)?.into_iter();
        let asks = standing.find(|(node, cursor)| cursor.waits() && matches!(node.op, Op::Answer { .. }));
        let key: Option<String> = asks.and_then(|(node, _)| run.messages.get(&node.step).cloned());
        let Some(key) = key else { return Err(not_now(&run, "a code")) };
        let matched = self.inner.parts.vault.code_matches(&code_context(&id.tenant, &key), code);
        let who = who.unwrap_or_else(|| Who::customer(&run.customer));
        let before = run.assertions.len();
        self.deliver(id, &self.inner.values.id("code/"), Signal::Code { key, matched }, who).await?;
        let after = self.settle(id).await?.assertions.len();
        // Not by what is there afterwards alone: somebody else may have given the right code in the meantime.
        Ok(matched && after > before)
    }

    /// The customer agreed to the words named by `words_id` and entered a card.
    pub async fn take_card(
        &self,
        token: &str,
        mark: Option<&str>,
        words_id_given: &str,
        card: Result<Card, CardFault>,
    ) -> Result<Result<(), Untaken>, EngineError> {
        let Some(visit) = self.visit(token, mark).await? else { return Ok(Err(Untaken::Moved)) };
        let Page::Card { amount, words, words_id, .. } = visit.page else { return Ok(Err(Untaken::Moved)) };
        if words_id != words_id_given {
            return Ok(Err(Untaken::Moved));
        }
        let card = match card {
            Ok(card) => card,
            Err(fault) => return Ok(Err(Untaken::Card(fault))),
        };
        let run = self.run_state(&visit.id).await?;
        let definition = self.definition(&visit.id.tenant, &run.workflow, &run.controls).await?;
        let mut standing = decide::standing(&definition.plan, &run)?.into_iter();
        let takes = standing.find(|(node, _)| node.step == visit.step && matches!(node.op, Op::Card { .. }));
        let Some(node) = takes.map(|(node, _)| node.name.clone()) else { return Ok(Err(Untaken::Moved)) };
        let (now, stands_for) = (self.now(), self.inner.values.id("tok_"));
        let class = "PHI";
        let name = format!("{}/authorization/{}", visit.step, run.visits.get(&node).copied().unwrap_or(1));
        let (commitment, sealed) = self.inner.values.commit(&visit.id, &name, class, &words).await?;
        let under = if amount.is_some() { &stands_for } else { &visit.id.interaction };
        self.inner.values.put_card(&visit.id.tenant, under, &stands_for, &card, now).await?;
        let signal = Signal::Card {
            step: visit.step,
            token: stands_for.clone(),
            brand: card.brand().name().to_owned(),
            last4: card.last4().to_owned(),
            words: commitment,
            sealed: to_base64(&sealed.blob),
        };
        self.inner.codes.sweep(now);
        self.inner.codes.put(&stands_for, card.code().clone(), now + CODE_LIVES)?;
        // One card for each visit to the page: pressing the button twice pays once.
        self.deliver(&visit.id, &format!("card/{}", run.key(&node)), signal, Who::customer(&run.customer)).await?;
        let run = self.settle(&visit.id).await?;
        if !run.has_card(&stands_for) {
            // It came too late, or twice: nobody will charge it, so nobody keeps it.
            self.inner.codes.take(&stands_for, now);
            self.store().forget_card(&visit.id.tenant, &stands_for).await?;
        }
        Ok(Ok(()))
    }

    /// The customer's answer to an offer, passed on by `who`. `terms` is the commitment that was read out.
    pub async fn answer(
        &self,
        id: &RunId,
        step: &str,
        accepted: bool,
        terms: &str,
        who: Who,
    ) -> Result<(), EngineError> {
        let run = self.settle(id).await?;
        let open = run.offers.get(step).is_some_and(|o| o.accepted.is_none() && o.terms == terms);
        if !open || !run.cursor(step).is_some_and(Cursor::waits) {
            return Err(not_now(&run, "this answer"));
        }
        let signal = Signal::Answer { step: step.into(), accepted, terms: terms.into() };
        self.deliver(id, &format!("answer/{step}/{terms}"), signal, who).await?;
        self.settle(id).await?;
        Ok(())
    }

    /// The values that a step disclosed or offered, in words, for the person whose look is recorded first.
    pub async fn read(&self, id: &RunId, step: &str, who: Who) -> Result<Vec<(String, String)>, EngineError> {
        let run = self.settle(id).await?;
        let mut names: Vec<String> = run.disclosed.get(step).into_iter().flatten().map(|f| f.name.clone()).collect();
        names.extend(run.offers.contains_key(step).then(|| format!("{step}/terms")));
        if names.is_empty() {
            return Err(not_now(&run, "a look at what was not disclosed"));
        }
        self.deliver(id, &self.inner.values.id("read/"), Signal::Read { step: step.into() }, who).await?;
        self.settle(id).await?;
        let mut out = Vec::new();
        for name in names {
            let opened = self.inner.values.opened(id, &name).await?;
            let value = opened.map_or_else(|| "[deleted]".into(), |(_, value)| in_words(value.expose_secret()));
            out.push((name, value));
        }
        Ok(out)
    }
}

/// Amounts and terms as people say them; anything else as it is.
fn in_words(value: &str) -> String {
    if let Ok(terms) = serde_json::from_str::<crate::money::Terms>(value) {
        return terms.in_words();
    }
    crate::money::Money::parse("", value).map_or_else(|_| value.to_owned(), |m| m.in_words())
}

/// Names words without keeping them: the page sends it back, so that what is agreed to is what was shown.
fn words_id(words: &str) -> String {
    selvedge_record::commitment(&[0; 32], words)
}

pub(crate) fn not_now(run: &Run, what: &str) -> EngineError {
    EngineError::NotNow { interaction: run.id.interaction.clone(), what: what.into(), at: run.summary().at }
}
