//! The shipped access policy in pairs: one fact apart, permitted and refused.

use selvedge_policy::{Access, Decision, Principal, Resource, Verdict};

const FILE: &str = "workflows/policies/access.cedar";
const POLICY: &str = include_str!("../../../workflows/policies/access.cedar");

fn access(text: &str) -> Result<Access, Vec<String>> {
    Access::load(FILE, text).map_err(|found| found.iter().map(ToString::to_string).collect())
}

fn colleague(function: &str) -> Principal {
    Principal {
        session: "ses-1".into(),
        person: "ana".into(),
        device: "laptop-7".into(),
        device_verified: true,
        function: function.into(),
    }
}

fn unverified(function: &str) -> Principal {
    Principal { device_verified: false, ..colleague(function) }
}

fn opened_by(person: &str) -> Resource {
    Resource { interaction: "int-1".into(), opened_by: person.into() }
}

#[allow(clippy::unwrap_used, reason = "this is a test")]
fn ask(principal: &Principal, action: &str, resource: &Resource) -> Decision {
    access(POLICY).unwrap().authorize(principal, action, resource)
}

#[test]
fn the_shipped_policy_answers_as_its_table_says() {
    let functions = ["billing-agent", "supervisor", "auditor", "admin", "janitor"];
    let table = [
        // agent, supervisor, auditor, admin, anybody else; each with an interaction that they opened.
        ("open", [true, false, false, false, false]),
        ("signal", [true, false, false, false, false]),
        ("read", [true, true, true, false, false]),
        ("see-disclosed", [true, false, false, false, false]),
        ("export", [false, false, true, false, false]),
        ("kill", [false, true, false, true, false]),
        ("operate", [false, true, false, false, false]),
        ("hand-over", [true, true, false, false, false]),
        ("move", [false, false, false, true, false]),
        ("decide", [true, true, false, false, false]),
        ("campaign", [false, true, false, false, false]),
        ("schedule", [false, true, false, false, false]),
    ];
    for (action, permitted) in table {
        for (function, permitted) in functions.iter().zip(permitted) {
            let decision = ask(&colleague(function), action, &opened_by("ana"));
            assert_eq!(decision.is_permit(), permitted, "{function} {action}");
            let elsewhere = ask(&unverified(function), action, &opened_by("ana"));
            assert_eq!(elsewhere.verdict, Verdict::Deny, "{function} {action} on a device that is not verified");
        }
    }
}

#[test]
fn a_permit_names_the_line_that_gave_it() {
    let decision = ask(&colleague("auditor"), "export", &opened_by("bob"));
    assert_eq!(decision.verdict, Verdict::Permit);
    let reason = &decision.reasons[0];
    let line: usize = reason.cite.strip_prefix(&format!("{FILE}:")).unwrap().parse().unwrap();
    let policy = POLICY.lines().skip(line - 1).collect::<Vec<_>>().join("\n");
    assert!(policy.trim_start().starts_with(['p', '@']), "line {line} begins a policy");
    assert!(policy.split(';').next().unwrap().contains("\"export\""), "and it is the one about exports");
    assert_eq!(reason.says, format!("{FILE}:{line} permits `auditor` to `export`"));
}

#[test]
fn a_line_can_have_a_name() {
    let text =
        "// one\n\n@id(\"auditors-export\")\npermit (principal is Session, action == Action::\"export\", resource);";
    let decision = access(text).unwrap().authorize(&colleague("auditor"), "export", &opened_by("bob"));
    assert_eq!((&*decision.reasons[0].rule, &*decision.reasons[0].cite), ("auditors-export", &*format!("{FILE}:3")));
}

#[test]
fn a_refusal_says_what_would_change_it() {
    let says = |decision: Decision| decision.reasons[0].says.clone();
    assert_eq!(
        says(ask(&unverified("billing-agent"), "open", &opened_by(""))),
        "`billing-agent` may `open` from a verified device, and this one is not verified",
    );
    assert_eq!(
        says(ask(&colleague("billing-agent"), "see-disclosed", &opened_by("bob"))),
        "`billing-agent` may `see-disclosed` an interaction that they opened, and this one was opened by another",
    );
    let both = says(ask(&unverified("billing-agent"), "see-disclosed", &opened_by("bob")));
    assert!(both.ends_with("this device is not verified and the interaction was opened by another"), "{both}");
    assert_eq!(
        says(ask(&colleague("billing-agent"), "exprt", &opened_by("ana"))),
        "there is no action `exprt`; did you mean `export`?",
    );
}

#[test]
fn the_line_that_a_refusal_suggests_does_permit_it() {
    let refused = ask(&colleague("supervisor"), "export", &opened_by("bob"));
    let (says, line) = refused.reasons[0].says.split_once('\n').unwrap();
    assert_eq!(says, format!("no line permits `supervisor` to `export`; this one in {FILE} would:"));
    let wider = access(&format!("{POLICY}\n{line}\n")).unwrap();
    assert!(wider.authorize(&colleague("supervisor"), "export", &opened_by("bob")).is_permit());
    assert!(!wider.authorize(&unverified("supervisor"), "export", &opened_by("bob")).is_permit());
}

#[test]
fn a_line_that_forbids_outweighs_one_that_permits() {
    let forbid = "forbid (principal is Session, action, resource) when { principal.device == \"laptop-7\" };";
    let stolen = access(&format!("{POLICY}\n{forbid}\n")).unwrap();
    let decision = stolen.authorize(&colleague("auditor"), "export", &opened_by("bob"));
    assert_eq!(decision.verdict, Verdict::Deny);
    assert!(decision.reasons[0].says.contains("forbids `auditor` to `export`"), "{decision:?}");
}

#[test]
fn a_policy_that_speaks_of_what_does_not_exist_does_not_load() {
    let table = [
        ("permit (principal, action, resource)", "P210"),
        ("permit (principal is Session, action == Action::\"exprt\", resource);", "P211"),
        ("permit (principal is Session, action, resource) when { principal.functon == \"auditor\" };", "P211"),
        ("permit (principal is Sesion, action, resource);", "P211"),
    ];
    for (line, code) in table {
        let found = access(&format!("// first line\n{line}\n")).err().unwrap();
        assert!(found[0].starts_with(&format!("{code} {FILE}:2:")), "{line}: {found:?}");
    }
}

#[test]
fn names_are_data_and_cannot_become_policy() {
    let sly = Principal { function: "x\" || true || \"".into(), ..colleague("") };
    let decision = ask(&sly, "export", &opened_by("\"; permit (principal, action, resource);"));
    assert_eq!(decision.verdict, Verdict::Deny);
}
