//! Faults on command: the next so many requests of one kind go wrong in one way.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;

/// How long a `timeout` holds the connection when the command does not say: longer than any client waits.
const TIMEOUT_DELAY: Duration = Duration::from_secs(30);
/// How late a `late` answer is when the command does not say.
const LATE_DELAY: Duration = Duration::from_secs(2);
/// The longest delay that can be commanded.
pub(crate) const MAX_DELAY_MS: u64 = 600_000;
/// How many requests one command can spoil.
pub(crate) const MAX_TIMES: u32 = 100;
/// How many commands can be waiting.
pub(crate) const MAX_WAITING: usize = 100;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The work is done and the answer comes after everybody has given up.
    Timeout,
    /// 503, and nothing was done.
    Fail,
    /// The webhook is delivered twice, with the same event id.
    Twice,
    /// The work is done; the answer and the webhook come after a delay.
    Late,
}

/// The body of `POST /control/fault`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Command {
    /// Which requests: `messages`, `charges`, `lookups`.
    pub on: String,
    /// What goes wrong with them.
    pub kind: Kind,
    /// With how many of them, one after another.
    #[serde(default = "once")]
    pub times: u32,
    /// Milliseconds, for `timeout` and `late`.
    pub delay_ms: Option<u64>,
}

fn once() -> u32 {
    1
}

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub kind: Kind,
    delay: Duration,
}

impl Fault {
    /// How long the answer is held back.
    pub fn answer_delay(self) -> Duration {
        match self.kind {
            Kind::Timeout | Kind::Late => self.delay,
            Kind::Fail | Kind::Twice => Duration::ZERO,
        }
    }

    /// How long the webhook is held back. A timeout hides the answer, not the news.
    pub fn webhook_delay(self) -> Duration {
        if self.kind == Kind::Late { self.delay } else { Duration::ZERO }
    }
}

/// The commands that have not been used up, in the order in which they came. They are the demo's, not the
/// vendor's, so a restart forgets them.
#[derive(Default)]
pub(crate) struct Faults(Mutex<VecDeque<Command>>);

impl Faults {
    /// Takes a command for one of `desks`. Errors: a text that says what is wrong with it.
    pub fn add(&self, command: Command, desks: &[&str]) -> Result<(), String> {
        if !desks.contains(&command.on.as_str()) {
            return Err(format!("`on` is one of: {}", desks.join(", ")));
        }
        if command.kind == Kind::Twice && command.on == "lookups" {
            return Err("a lookup has no webhook that could come `twice`".to_owned());
        }
        if command.times == 0 || command.times > MAX_TIMES {
            return Err(format!("`times` is 1 to {MAX_TIMES}"));
        }
        if command.delay_ms.is_some_and(|delay| delay > MAX_DELAY_MS) {
            return Err(format!("`delay_ms` is at most {MAX_DELAY_MS}"));
        }
        let mut waiting = self.waiting();
        if waiting.len() >= MAX_WAITING {
            return Err(format!("{MAX_WAITING} commands are waiting already"));
        }
        waiting.push_back(command);
        Ok(())
    }

    /// What goes wrong with the request that has just come in at `desk`.
    pub fn next(&self, desk: &str) -> Option<Fault> {
        let mut waiting = self.waiting();
        let index = waiting.iter().position(|command| command.on == desk)?;
        let command = &mut waiting[index];
        let default = if command.kind == Kind::Timeout { TIMEOUT_DELAY } else { LATE_DELAY };
        let delay = command.delay_ms.map_or(default, Duration::from_millis);
        let fault = Fault { kind: command.kind, delay };
        command.times -= 1;
        if command.times == 0 {
            waiting.remove(index);
        }
        Some(fault)
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Command>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(on: &str, kind: Kind, times: u32) -> Command {
        Command { on: on.into(), kind, times, delay_ms: None }
    }

    #[test]
    fn a_command_spoils_as_many_requests_as_it_says_and_no_other_desk() {
        let faults = Faults::default();
        faults.add(command("charges", Kind::Fail, 2), &["charges"]).unwrap();
        assert_eq!(faults.next("messages"), None);
        assert_eq!(faults.next("charges").unwrap().kind, Kind::Fail);
        assert_eq!(faults.next("charges").unwrap().kind, Kind::Fail);
        assert_eq!(faults.next("charges"), None);
    }

    #[test]
    fn commands_have_limits() {
        let faults = Faults::default();
        let desks = ["charges", "lookups"];
        assert!(faults.add(command("messages", Kind::Fail, 1), &desks).is_err());
        assert!(faults.add(command("lookups", Kind::Twice, 1), &desks).is_err());
        assert!(faults.add(command("charges", Kind::Fail, 0), &desks).is_err());
        assert!(faults.add(command("charges", Kind::Fail, MAX_TIMES + 1), &desks).is_err());
        let slow = Command { delay_ms: Some(MAX_DELAY_MS + 1), ..command("charges", Kind::Late, 1) };
        assert!(faults.add(slow, &desks).is_err());
        for _ in 0..MAX_WAITING {
            faults.add(command("charges", Kind::Fail, MAX_TIMES), &desks).unwrap();
        }
        assert!(faults.add(command("charges", Kind::Fail, 1), &desks).is_err());
    }
}
