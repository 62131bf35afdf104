//! `demo --by-hand`: from the payment link on, the customer is whoever reads the terminal. Here is what they need
//! for it: the link, a card, and the texts as they arrive on the patient's phone.

use miette::IntoDiagnostic;

use super::customer;
use super::stage::Stage;

/// Every card that passes the check of its digits is charged by the double; this one never is.
const DECLINED: &str = "4000 0000 0000 0002";

/// What the person at the terminal has been told.
pub struct ByHand {
    json: bool,
    texts: usize,
    handed_over: bool,
}

impl ByHand {
    /// Nothing told yet. In JSON mode words go to stderr.
    pub fn new(json: bool) -> ByHand {
        ByHand { json, texts: 0, handed_over: false }
    }

    /// Prints the texts that have arrived since the last look.
    pub async fn read_phone(&mut self, stage: &Stage) -> miette::Result<()> {
        let texts = customer::texts(stage).await?;
        for text in texts.iter().skip(self.texts) {
            self.say(&format!("text        {text}"))?;
        }
        self.texts = texts.len();
        Ok(())
    }

    /// Prints the link and the cards to try, once.
    pub async fn hand_over(&mut self, stage: &Stage) -> miette::Result<()> {
        if self.handed_over {
            return Ok(());
        }
        self.handed_over = true;
        self.say("\nYou are Ada now: open the link in a browser. Her texts are shown here.")?;
        self.say(&format!("test card   4242 4242 4242 4242, 12/2031, code 961   (declined: {DECLINED})"))?;
        self.say(&format!("link        {}", customer::read_link(stage).await?))
    }

    /// At once, also into a pipe: a program may be waiting for it.
    fn say(&self, line: &str) -> miette::Result<()> {
        use std::io::Write;
        if self.json {
            return writeln!(std::io::stderr(), "{line}").into_diagnostic();
        }
        let mut out = std::io::stdout();
        writeln!(out, "{line}").and_then(|()| out.flush()).into_diagnostic()
    }
}
