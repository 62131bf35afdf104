//! Who may do what? The lines are Cedar, which an auditor can read; this wraps them into one door.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::str::FromStr;

use cedar_policy::{
    Authorizer, Context, Decision as Answer, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy, PolicySet,
    Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use selvedge_workflow::source::{Diagnostic, Span, did_you_mean};

use crate::code;
use crate::decision::{Decision, Reason, Verdict};

/// What the lines can speak of. A line that speaks of anything else does not load.
const SCHEMA: &str = include_str!("access.cedarschema");
/// The help for a line that does not load.
const SCHEMA_HELP: &str = "the actions and attributes that exist are in `runtime/policy/src/access.cedarschema`";

/// Somebody at work: a person, on a device, in a function. None of the three acts alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The session's id.
    pub session: String,
    /// The person's id.
    pub person: String,
    /// The device's id.
    pub device: String,
    /// Did the device prove in this session that it is that device?
    pub device_verified: bool,
    /// What the person works as: `billing-agent`.
    pub function: String,
}

/// What somebody wants to act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The interaction's id.
    pub interaction: String,
    /// The id of the person whose it is: who opened it, or took it over since; empty if nobody's.
    pub opened_by: String,
}

/// The access policy of an installation.
#[derive(Debug)]
pub struct Access {
    file: String,
    schema: Schema,
    policies: PolicySet,
    /// Where each policy begins, by its Cedar id.
    lines: BTreeMap<String, usize>,
}

impl Access {
    /// Reads the lines of `file` and checks them against what exists.
    ///
    /// # Errors
    /// Every mistake with its place: not Cedar (P210), an action or attribute that does not exist (P211).
    pub fn load(file: &str, text: &str) -> Result<Access, Vec<Diagnostic>> {
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA)
            .map_err(|error| vec![Diagnostic::new(code::NOT_IN_SCHEMA, error.to_string())])?;
        let policies = PolicySet::from_str(text).map_err(|errors| {
            errors.iter().map(|error| complaint(code::NOT_CEDAR, error, file, text)).collect::<Vec<_>>()
        })?;
        let checked = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        let mistakes: Vec<_> = checked
            .validation_errors()
            .map(|error| complaint(code::NOT_IN_SCHEMA, error, file, text).maybe_help(Some(SCHEMA_HELP.to_owned())))
            .collect();
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let lines = lines(&policies, text);
        Ok(Access { file: file.to_owned(), schema, policies, lines })
    }

    /// May this principal do `action` to `resource`? The reasons name the line that decided, or the fact or line
    /// that is missing.
    #[must_use]
    pub fn authorize(&self, principal: &Principal, action: &str, resource: &Resource) -> Decision {
        let known: Vec<&str> = self.schema.actions().map(|uid| uid.id().unescaped()).collect();
        if !known.contains(&action) {
            let help = did_you_mean(action, known).unwrap_or_default();
            return deny(action, principal, format!("there is no action `{action}`; {help}"));
        }
        match self.ask(principal, action, resource) {
            Err(problem) => deny(action, principal, format!("it could not be decided: {problem}")),
            Ok((permitted, deciding)) if !deciding.is_empty() => {
                let reasons = deciding.iter().map(|policy| self.decided(policy, permitted, principal, action));
                let verdict = if permitted { Verdict::Permit } else { Verdict::Deny };
                Decision { verdict, reasons: reasons.collect() }
            }
            Ok(_) => deny(action, principal, self.missing(principal, action, resource)),
        }
    }

    /// All actions that this principal may do to `resource`.
    #[must_use]
    pub fn permitted(&self, principal: &Principal, resource: &Resource) -> Vec<String> {
        let actions = self.schema.actions().map(|uid| uid.id().unescaped().to_owned());
        actions.filter(|action| self.ask(principal, action, resource).is_ok_and(|(yes, _)| yes)).collect()
    }

    /// Cedar's answer and the policies that decided it: the permits of a yes, the forbids of a no. A policy that
    /// could not be evaluated is an error: Cedar would pass over it, and it may have been a forbid.
    fn ask(&self, principal: &Principal, action: &str, resource: &Resource) -> Result<(bool, Vec<&Policy>), String> {
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let session = [
            ("person", text(&principal.person)),
            ("device", text(&principal.device)),
            ("device_verified", RestrictedExpression::new_bool(principal.device_verified)),
            ("function", text(&principal.function)),
        ];
        let session = entity("Session", &principal.session, session.into())?;
        let interaction = [("opened_by", text(&resource.opened_by))];
        let interaction = entity("Interaction", &resource.interaction, interaction.into())?;
        let request = Request::new(
            session.uid(),
            uid("Action", action)?,
            interaction.uid(),
            Context::empty(),
            Some(&self.schema),
        )
        .map_err(|_| "the request does not fit the schema".to_owned())?;
        let entities = Entities::from_entities([session, interaction], Some(&self.schema))
            .map_err(|_| "the facts do not fit the schema".to_owned())?;

        let response = Authorizer::new().is_authorized(&request, &self.policies, &entities);
        if response.diagnostics().errors().next().is_some() {
            return Err("a line of the access policy could not be evaluated".to_owned());
        }
        let deciding = response.diagnostics().reason().filter_map(|id| self.policies.policy(id)).collect();
        Ok((response.decision() == Answer::Allow, deciding))
    }

    fn decided(&self, policy: &Policy, permitted: bool, principal: &Principal, action: &str) -> Reason {
        let line = self.lines.get(&policy.id().to_string()).copied().unwrap_or(1);
        let place = format!("{}:{line}", self.file);
        let name = policy.annotation("id").filter(|name| !name.is_empty()).unwrap_or("access");
        let (verdict, verb) = if permitted { (Verdict::Permit, "permits") } else { (Verdict::Deny, "forbids") };
        let says = format!("{place} {verb} `{}` to `{action}`", principal.function);
        facts(Reason::new(name, &place, verdict, says), principal, action)
    }

    /// What would change a refusal: first a fact about this case, and if no fact would, the line.
    fn missing(&self, principal: &Principal, action: &str, resource: &Resource) -> String {
        let verified = Principal { device_verified: true, ..principal.clone() };
        let own = Resource { opened_by: principal.person.clone(), ..resource.clone() };
        let would = |principal, resource| self.ask(principal, action, resource).is_ok_and(|(permitted, _)| permitted);
        let function = &principal.function;
        if would(&verified, resource) {
            format!("`{function}` may `{action}` from a verified device, and this one is not verified")
        } else if would(principal, &own) {
            format!("`{function}` may `{action}` an interaction that they opened, and this one was opened by another")
        } else if would(&verified, &own) {
            format!(
                "`{function}` may `{action}` an interaction that they opened, from a verified device; this device is not \
                 verified and the interaction was opened by another"
            )
        } else {
            format!(
                "no line permits `{function}` to `{action}`; this one in {} would:\n{}",
                self.file,
                line(function, action)
            )
        }
    }
}

/// The line that would permit it. The device's proof is part of every line that we suggest.
fn line(function: &str, action: &str) -> String {
    format!(
        "permit (principal is Session, action == Action::{action:?}, resource is Interaction)\n\
         when {{ principal.function == {function:?} && principal.device_verified }};"
    )
}

fn deny(action: &str, principal: &Principal, says: String) -> Decision {
    Decision::deny(vec![facts(Reason::new("default", "", Verdict::Deny, says), principal, action)])
}

fn facts(reason: Reason, principal: &Principal, action: &str) -> Reason {
    let verified = if principal.device_verified { "yes" } else { "no" };
    reason.fact("function", &principal.function).fact("device-verified", verified).fact("action", action)
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, String> {
    let kind = EntityTypeName::from_str(kind).map_err(|_| "the schema has no such kind".to_owned())?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

fn entity(kind: &str, id: &str, attributes: HashMap<&str, RestrictedExpression>) -> Result<Entity, String> {
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Entity::new(uid(kind, id)?, attributes, HashSet::new()).map_err(|_| "the facts cannot be read".to_owned())
}

/// Cedar's complaint as ours, at its place in the text.
fn complaint(code: &str, error: &dyn miette::Diagnostic, file: &str, text: &str) -> Diagnostic {
    let label = error.labels().and_then(|mut labels| labels.next());
    let span = label.map_or_else(|| Span::start_of(file), |label| place(file, text, label.offset(), label.len()));
    let complaint = Diagnostic::new(code, lower(&error.to_string())).at(&span);
    complaint.maybe_help(error.help().map(|help| help.to_string()))
}

/// Our messages begin in lower case.
fn lower(message: &str) -> String {
    let mut letters = message.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

fn place(file: &str, text: &str, offset: usize, len: usize) -> Span {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Span { file: file.to_owned(), line, column, len }
}

/// The line that each policy begins on. The same text can be there twice, so each search goes on behind the last find.
fn lines(policies: &PolicySet, text: &str) -> BTreeMap<String, usize> {
    let mut numbered: Vec<_> = policies.policies().collect();
    // Cedar numbers policies in the order of the text: `policy0`, `policy1`, …, `policy10`.
    numbered.sort_by_key(|policy| {
        let id = policy.id().to_string();
        (id.len(), id)
    });
    let mut from = 0;
    let mut lines = BTreeMap::new();
    for policy in numbered {
        let source = policy.to_string();
        if let Some(found) = text[from..].find(&source) {
            lines.insert(policy.id().to_string(), place("", text, from + found, 0).line);
            from += found + source.len();
        }
    }
    lines
}
