//! Is it certain enough who it is? An assertion of identity is data with a level, a scope and an end.

use jiff::Timestamp;
use selvedge_workflow::dictionary::Level;
use serde::{Deserialize, Serialize};

use crate::decision::{Decision, Reason, Verdict};

const RULE: &str = "assurance";
const CITE: &str = "45 CFR 164.514(h), NIST SP 800-63B-4";
/// Methods whose name begins with one of these words never count, at whatever level they are said to be: what a
/// person knows is no secret, and a voice can be imitated (NIST SP 800-63B-4).
const NEVER: [&str; 2] = ["knowledge", "voice"];

/// Somebody proved who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assertion {
    /// How: `code`.
    pub method: String,
    /// How sure that makes us.
    pub level: Level,
    /// Since when, in UTC microseconds.
    pub issued: i64,
    /// From when on no longer, in UTC microseconds.
    pub expires: i64,
    /// The channel that it was made over: `sms`.
    pub channel: String,
    /// The interaction that it was made in and holds for.
    pub scope: String,
}

/// Does one of these assertions suffice for `needs`, in the interaction `scope`, at `now` (UTC microseconds)?
///
/// A permit names the assertion that holds longest. A denial says of each why it does not suffice.
#[must_use]
pub fn assess(needs: Level, scope: &str, assertions: &[Assertion], now: i64) -> Decision {
    assess_anew(0, needs, scope, assertions, now)
}

/// The same without the first `before` of the assertions: what was proved for something else is not fresh enough.
#[must_use]
pub fn assess_anew(before: usize, needs: Level, scope: &str, assertions: &[Assertion], now: i64) -> Decision {
    if needs == Level::L0 {
        return Decision::permit(vec![reason(needs, Verdict::Permit, "this needs nobody to be verified")]);
    }
    let (old, new) = assertions.split_at(before.min(assertions.len()));
    let suffices = |assertion: &&Assertion| failing(assertion, needs, scope, now).is_none();
    if let Some(best) = new.iter().filter(suffices).max_by_key(|assertion| assertion.expires) {
        let says = format!("`{}` proves {} until {}", best.method, best.level, moment(best.expires));
        return Decision::permit(vec![about(reason(needs, Verdict::Permit, says), best)]);
    }
    if assertions.is_empty() {
        let says = format!("this needs {needs}, and nobody was verified");
        return Decision::deny(vec![reason(needs, Verdict::Deny, says).fact("missing", "assertion")]);
    }
    let no = |says: String, assertion: &Assertion| about(reason(needs, Verdict::Deny, says), assertion);
    let too_old = |assertion: &Assertion| {
        let since = moment(assertion.issued);
        let otherwise =
            format!("`{}` was proved at {since}, for what came before; this needs a new proof", assertion.method);
        no(failing(assertion, needs, scope, now).unwrap_or(otherwise), assertion)
    };
    let why = |assertion: &Assertion| no(failing(assertion, needs, scope, now).unwrap_or_default(), assertion);
    Decision::deny(old.iter().map(too_old).chain(new.iter().map(why)).collect())
}

/// Why an assertion does not suffice; `None` if it does.
fn failing(assertion: &Assertion, needs: Level, scope: &str, now: i64) -> Option<String> {
    let Assertion { method, level, issued, expires, .. } = assertion;
    let word = method.split(['-', '.', '_', ' ']).next().unwrap_or_default();
    if NEVER.contains(&word.to_ascii_lowercase().as_str()) {
        Some(format!("`{method}` never proves who somebody is"))
    } else if assertion.scope != scope {
        Some(format!("`{method}` was given in another interaction"))
    } else if *level < needs {
        Some(format!("`{method}` proves {level}, and this needs {needs}"))
    } else if now < *issued {
        Some(format!("`{method}` holds from {} on, which is not yet", moment(*issued)))
    } else if *expires <= now {
        Some(format!("`{method}` expired at {}", moment(*expires)))
    } else {
        None
    }
}

fn reason(needs: Level, verdict: Verdict, says: impl Into<String>) -> Reason {
    Reason::new(RULE, CITE, verdict, says).fact("needs", needs.name())
}

fn about(reason: Reason, assertion: &Assertion) -> Reason {
    reason
        .fact("method", &assertion.method)
        .fact("level", assertion.level.name())
        .fact("channel", &assertion.channel)
        .fact("issued", moment(assertion.issued))
        .fact("expires", moment(assertion.expires))
}

fn moment(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_772_463_600_000_000;
    const MINUTE: i64 = 60_000_000;

    fn code() -> Assertion {
        Assertion {
            method: "code".into(),
            level: Level::L2,
            issued: NOW,
            expires: NOW + 30 * MINUTE,
            channel: "sms".into(),
            scope: "int-1".into(),
        }
    }

    fn says(needs: Level, assertions: &[Assertion], now: i64) -> (Verdict, Vec<String>) {
        let decision = assess(needs, "int-1", assertions, now);
        (decision.verdict, decision.reasons.into_iter().map(|reason| reason.says).collect())
    }

    #[test]
    fn a_fresh_code_suffices_until_the_moment_it_expires() {
        let last = NOW + 30 * MINUTE - 1;
        assert_eq!(says(Level::L2, &[code()], NOW).0, Verdict::Permit);
        let permit = "`code` proves L2 until 2026-03-02 15:30:00 UTC".to_owned();
        assert_eq!(says(Level::L2, &[code()], last), (Verdict::Permit, vec![permit]));
        let expired = "`code` expired at 2026-03-02 15:30:00 UTC".to_owned();
        assert_eq!(says(Level::L2, &[code()], last + 1), (Verdict::Deny, vec![expired]));
    }

    #[test]
    fn without_an_assertion_only_what_needs_nobody_is_permitted() {
        assert_eq!(says(Level::L0, &[], NOW).0, Verdict::Permit);
        let none = "this needs L1, and nobody was verified".to_owned();
        assert_eq!(says(Level::L1, &[], NOW), (Verdict::Deny, vec![none]));
    }

    #[test]
    fn each_assertion_that_does_not_suffice_says_why() {
        let low = Assertion { level: Level::L1, ..code() };
        let elsewhere = Assertion { scope: "int-2".into(), ..code() };
        let early = Assertion { issued: NOW + MINUTE, ..code() };
        let expected = [
            "`code` proves L1, and this needs L2",
            "`code` was given in another interaction",
            "`code` holds from 2026-03-02 15:01:00 UTC on, which is not yet",
        ];
        assert_eq!(says(Level::L2, &[low, elsewhere, early], NOW), (Verdict::Deny, expected.map(String::from).into()));
    }

    #[test]
    fn what_was_proved_before_does_not_count_where_a_fresh_proof_is_asked_for() {
        let anew = |proofs: &[Assertion]| assess_anew(1, Level::L2, "int-1", proofs, NOW + MINUTE);
        let decision = anew(&[code()]);
        assert_eq!(decision.verdict, Verdict::Deny);
        let says = "`code` was proved at 2026-03-02 15:00:00 UTC, for what came before; this needs a new proof";
        assert_eq!(decision.reasons[0].says, says);
        assert_eq!(anew(&[code(), code()]).verdict, Verdict::Permit);
        assert_eq!(anew(&[]).verdict, Verdict::Deny);
    }

    #[test]
    fn what_somebody_knows_and_how_they_sound_never_count() {
        for method in ["knowledge", "knowledge-question", "Knowledge_Based", "voice-match", "voice"] {
            let said = Assertion { method: method.into(), ..code() };
            let never = format!("`{method}` never proves who somebody is");
            assert_eq!(says(Level::L1, std::slice::from_ref(&said), NOW), (Verdict::Deny, vec![never]));
            assert_eq!(says(Level::L1, &[said, code()], NOW).0, Verdict::Permit, "beside one that does count");
        }
    }

    #[test]
    fn of_several_that_suffice_the_one_that_holds_longest_is_named() {
        let longer = Assertion { expires: NOW + 60 * MINUTE, channel: "page".into(), ..code() };
        let decision = assess(Level::L2, "int-1", &[code(), longer, code()], NOW);
        assert_eq!(decision.reasons.len(), 1);
        assert_eq!(decision.reasons[0].facts["channel"], "page");
    }
}
