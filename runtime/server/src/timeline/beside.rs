//! The records beside the interactions in words: campaigns, schedules, kill switches, legal holds, and what people did to
//! records rather than in them.

use selvedge_engine::campaign::CampaignFact;
use selvedge_engine::schedule::ScheduleFact;
use selvedge_engine::switches::SwitchFact;
use selvedge_record::Event;
use serde_json::Value;

use super::{Said, moment, switches};

/// An event that no interaction has. One of a kind that this version does not know is told by its kind.
pub(super) fn say(event: &Event) -> Said {
    let known = SwitchFact::of(event).map(|fact| switches::say(&fact));
    let known = known.or_else(|_| CampaignFact::of(event).map(|fact| campaign(&fact)));
    let known = known.or_else(|_| ScheduleFact::of(event).map(|fact| schedule(&fact)));
    known.ok().or_else(|| noted(&event.kind, &event.data)).unwrap_or_else(|| Said::plain(event.kind.clone()))
}

fn campaign(fact: &CampaignFact) -> Said {
    match fact {
        CampaignFact::Started { plan, listed } => {
            let whom = match (listed, &plan.customers) {
                (Some(listed), _) => format!("a list of {listed} customers"),
                (None, Some(condition)) => format!("those for whom `{condition}` holds"),
                (None, None) => "nobody".to_owned(),
            };
            let said = Said::plain(format!("campaign started: {} with {whom}", plan.workflow));
            let pace = format!("at most {} a minute, {} open at a time", plan.per_minute, plan.at_once);
            said.with([pace]).with(plan.after.iter().map(|before| format!("it begins when {before} is over")))
        }
        CampaignFact::Listed { asked, listed, reads } => {
            let said = Said::plain(format!("{listed} of {asked} customers are on its list"));
            said.with(reads.iter().map(|field| format!("asked about {field} of each")))
        }
        CampaignFact::Paused { reason } => Said::warning("campaign paused: nobody is taken up").with([reason.clone()]),
        CampaignFact::Resumed { reason } => Said::plain("campaign goes on").with([reason.clone()]),
        CampaignFact::Stopped { reason } => Said::bad("campaign stopped for good").with([reason.clone()]),
        CampaignFact::Finished { done, refused, failed } => {
            let what = format!("campaign over: {done} came to their end, {refused} refused by a rule, {failed} failed");
            if *failed == 0 { Said::good(what) } else { Said::warning(what) }
        }
    }
}

fn schedule(fact: &ScheduleFact) -> Said {
    match fact {
        ScheduleFact::Began { upto } => {
            Said::plain("schedule seen for the first time").with([format!("nothing before {} counts", moment(*upto))])
        }
        ScheduleFact::Fired { upto, campaigns, missed, overlapped } => {
            let lost = [(missed, "missed and not made up for"), (overlapped, "while the campaign before goes on")];
            let lost = lost.into_iter().filter(|(count, _)| **count > 0);
            let lost: Vec<String> = lost.map(|(count, why)| format!("{count} {why}")).collect();
            let what =
                if campaigns.is_empty() { "nothing begins".to_owned() } else { campaigns.join(", ") + " begins" };
            let said = if lost.is_empty() { Said::plain(what) } else { Said::warning(what) };
            said.with(lost).with([format!("times until {} are decided", moment(*upto))])
        }
        ScheduleFact::Paused { reason, .. } => Said::warning("schedule paused").with([reason.clone()]),
        ScheduleFact::Resumed { reason, .. } => Said::plain("schedule goes on").with([reason.clone()]),
    }
}

/// What was noted in the record of access or of holds. Everything in there was written by this program.
fn noted(kind: &str, data: &Value) -> Option<Said> {
    let text = |key: &str| data[key].as_str().unwrap_or("?").to_owned();
    Some(match kind {
        "access.refused" => {
            let reasons = data["decision"]["reasons"].as_array().into_iter().flatten();
            let reasons = reasons.filter_map(|reason| reason["says"].as_str().map(str::to_owned));
            Said::bad(format!("`{}` refused at {}", text("action"), text("interaction"))).with(reasons)
        }
        "record.exported" => {
            let open: Vec<&str> = data["opened"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let said = Said::plain(format!("the record of {} was exported", text("interaction")));
            said.with((!open.is_empty()).then(|| format!("values of {} in the clear", open.join(", "))))
        }
        "customers.imported" => Said::plain(format!("{} customers imported", data["customers"].as_u64()?)),
        "customers.unflagged" => {
            let what = format!("`{}` is no longer on file of {}", text("flag"), text("customer"));
            Said::warning(what).with([text("reason")])
        }
        "staff.signed-in" => {
            let said = Said::plain(format!("{} was signed in as {}", text("person"), text("function")));
            said.with([format!("session {} on {}, until {}", text("session"), text("device"), text("expires"))])
        }
        "text.unmatched" => Said::plain(format!("a text came by {}: {}", text("connection"), text("why"))),
        "node.restored" => {
            let until = moment(data["until"].as_i64()?);
            Said::warning(format!("the node was restored out of a backup of {until}"))
        }
        "hold.set" => {
            Said::warning(format!("{} is held: nothing of it is destroyed", text("on"))).with([text("reason")])
        }
        "hold.lifted" => Said::plain(format!("{} was lifted", text("hold"))).with([text("reason")]),
        _ => return None,
    })
}
