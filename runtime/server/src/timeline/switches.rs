//! The record of kill switches in words.

use selvedge_engine::switches::{SwitchFact, UnderWay};

use super::Said;

pub(super) fn say(fact: &SwitchFact) -> Said {
    match fact {
        SwitchFact::Set { scope, reason } => Said::bad(format!("{scope} stopped")).with([reason.clone()]),
        SwitchFact::Settled { switch, under_way } => settled(switch, under_way),
        SwitchFact::Lifted { switch, reason } => Said::good(format!("{switch} lifted")).with([reason.clone()]),
    }
}

fn settled(switch: &str, UnderWay { left, stopped, unknown }: &UnderWay) -> Said {
    let told = [("had left", left), ("did not leave", stopped), ("nobody knows", unknown)];
    let known: Vec<_> = told.into_iter().filter(|(_, keys)| !keys.is_empty()).collect();
    if known.is_empty() {
        return Said::plain(format!("{switch}: nothing was under way"));
    }
    let counts: Vec<String> = known.iter().map(|(what, keys)| format!("{} {what}", keys.len())).collect();
    let what = format!("{switch}: under way when it was set: {}", counts.join(", "));
    let said = if unknown.is_empty() { Said::plain(what) } else { Said::warning(what) };
    said.with(known.iter().flat_map(|(what, keys)| keys.iter().map(move |key| format!("{key}: {what}"))))
}
