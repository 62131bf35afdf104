//! Was this request granted? Everything that was not is denied, and the refusal says which line would allow it.

use std::collections::{BTreeMap, BTreeSet};

use selvedge_engine::ports::{Access, Call, Field, Refusal};
use wasmtime::component::Resource;

use crate::bindings::egress::{Body, Entry, Request, Value};
use crate::connector::Connector;
use crate::egress::body::{self, Content};
use crate::grant::Powers;
use crate::route::{MAX_PATH, METHODS, Route};
use crate::state::Handle;

/// The slots of one body.
pub const MAX_SLOTS: usize = 64;
/// The longest text in a slot or a header, in bytes.
pub const MAX_TEXT: usize = 8 << 10;
/// The longest name of a slot or a connection, in bytes.
const MAX_NAME: usize = 256;
/// The headers that a connector may set.
const HEADERS: [&str; 2] = ["idempotency-key", "accept"];
/// Card numbers have 13 to 19 digits (ISO/IEC 7812-1).
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// A request that was granted, ready to go.
pub(crate) struct Allowed {
    pub connection: String,
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    /// The content type and the bytes.
    pub body: Option<(&'static str, Vec<u8>)>,
    pub accesses: Vec<Access>,
}

/// May a call for this purpose use this field at all?
pub(crate) fn may_use(connector: &Connector, call: &Call, field: &str, how: &str) -> Result<(), Refusal> {
    let tried = || format!("{how} of `{field}` for the purpose `{}`", call.purpose);
    if !connector.grant.gives.fields.contains(field) {
        return Err(Refusal { missing: connector.grant.line_with_field(field), tried: tried() });
    }
    if !connector.manifest.asks.fields.contains(field) {
        return Err(Refusal {
            missing: format!("{}: `{field}` under `fields:`", connector.manifest.file),
            tried: tried(),
        });
    }
    may_serve(connector, call).map_err(|missing| Refusal { missing, tried: tried() })
}

/// May the connector be used for the call's purpose? Gives the missing line.
fn may_serve(connector: &Connector, call: &Call) -> Result<(), String> {
    if connector.grant.purposes.contains(&call.purpose) {
        Ok(())
    } else {
        Err(connector.grant.line_with_purpose(&call.purpose))
    }
}

/// Judges a request. `field` finds what is behind a handle.
pub(crate) fn judge(
    connector: &Connector,
    call: &Call,
    request: Request,
    field: impl Fn(&Resource<Handle>) -> Option<Field>,
) -> Result<Allowed, Refusal> {
    let (content_type, entries) = match request.body {
        Body::None => (None, Vec::new()),
        Body::Json(entries) => (Some("application/json"), entries),
        Body::Form(entries) => (Some("application/x-www-form-urlencoded"), entries),
    };
    let entries = resolve(entries, field);
    let mut asked = Asked {
        connection: &request.connection,
        method: &request.method,
        path: &request.path,
        slots: entries.iter().filter_map(|(slot, what)| Some((slot.as_str(), what.as_ref()?.1.as_ref()?))).collect(),
    };
    asked.shape_fits(content_type, entries.len())?;
    may_serve(connector, call).map_err(|missing| asked.refusal(missing))?;
    for (_, field) in &asked.slots {
        may_use(connector, call, &field.path, &format!("sending to {}", asked.place()))?;
    }
    asked.is_covered(&connector.grant.gives, |route| connector.grant.line_with_route(&request.connection, route))?;
    asked.is_covered(&connector.manifest.asks, |route| {
        format!("{}: connections: {}: {}", connector.manifest.file, request.connection, route.line())
    })?;
    let headers = asked.headers(&request.headers)?;
    asked.holds_no_card(call, &entries, &headers)?;

    let accesses =
        asked.slots.iter().map(|(slot, field)| super::access(field, format!("{} {slot}", asked.place()))).collect();
    asked.slots.clear();
    let mut contents = Vec::new();
    for (slot, what) in entries {
        let Some((content, _)) = what else { return Err(limit("a handle that this call did not give")) };
        contents.push((slot, content));
    }
    let body = match content_type {
        None => None,
        Some("application/json") => {
            let bytes = body::json(&contents)
                .map_err(|slot| limit(&format!("the JSON slot `{slot}`, which is no pointer or is taken")))?;
            Some(("application/json", bytes))
        }
        Some(form) => Some((form, body::form(&contents))),
    };
    Ok(Allowed { connection: request.connection, method: request.method, path: request.path, headers, body, accesses })
}

/// What stands in a slot, and the field that it is, if it is one.
type Resolved = (String, Option<(Content, Option<Field>)>);

fn resolve(entries: Vec<Entry>, field: impl Fn(&Resource<Handle>) -> Option<Field>) -> Vec<Resolved> {
    let content = |value| match value {
        Value::Text(text) => Some((Content::Text(text), None)),
        Value::Number(number) => Some((Content::Number(number), None)),
        Value::Handle(handle) => field(&handle).map(|field| (Content::Secret(field.value.clone()), Some(field))),
    };
    entries.into_iter().map(|entry| (entry.slot, content(entry.value))).collect()
}

/// A request as far as a grant speaks of it.
struct Asked<'a> {
    connection: &'a str,
    method: &'a str,
    path: &'a str,
    slots: Vec<(&'a str, &'a Field)>,
}

impl Asked<'_> {
    /// `brightline POST /v2/messages`, without what stands in the query.
    fn place(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{} {} {path}", self.connection, self.method)
    }

    fn refusal(&self, missing: String) -> Refusal {
        Refusal { missing, tried: self.place() }
    }

    fn shape_fits(&self, content_type: Option<&str>, slots: usize) -> Result<(), Refusal> {
        if !METHODS.contains(&self.method) {
            return Err(limit("a method that HTTP APIs do not use"));
        }
        if self.method == "GET" && content_type.is_some() {
            return Err(limit("a GET with a body"));
        }
        if slots > MAX_SLOTS {
            return Err(limit(&format!("more than {MAX_SLOTS} slots in one body")));
        }
        let names = self.slots.iter().map(|(slot, _)| *slot).chain([self.connection]);
        if self.path.len() > MAX_PATH || names.map(str::len).any(|len| len > MAX_NAME) {
            return Err(limit("a path or a name that is too long"));
        }
        Ok(())
    }

    /// Whether one route allows the request and all its slots; else the route that would.
    fn is_covered(&self, powers: &Powers, line: impl Fn(&Route) -> String) -> Result<(), Refusal> {
        let none = Vec::new();
        let routes = powers.connections.get(self.connection).unwrap_or(&none);
        let mut covering = routes.iter().filter(|route| route.covers(self.method, self.path));
        let allows = |route: &&Route| self.slots.iter().all(|(slot, field)| stands_in(route, slot, &field.path));
        let Some(nearest) = covering.clone().next() else {
            // The values of a query are the connector's words; the line that would grant them says `*`.
            let path = self
                .path
                .split_once('?')
                .map_or_else(|| self.path.to_owned(), |(path, query)| format!("{path}?{}", starred(query)));
            return Err(self.refusal(line(&self.route(path, BTreeMap::new()))));
        };
        if covering.any(|route| allows(&route)) {
            return Ok(());
        }
        let wanting = self.slots.iter().find(|(slot, field)| !stands_in(nearest, slot, &field.path));
        let tried = wanting
            .map_or_else(|| self.place(), |(slot, field)| format!("{} {slot} with `{}`", self.place(), field.path));
        Err(Refusal { missing: line(&self.route(nearest.path.clone(), nearest.slots.clone())), tried })
    }

    /// A route like this one that also allows these slots.
    fn route(&self, path: String, mut slots: BTreeMap<String, BTreeSet<String>>) -> Route {
        for (slot, field) in &self.slots {
            slots.entry((*slot).to_owned()).or_default().insert(field.path.clone());
        }
        Route { method: self.method.to_owned(), path, slots }
    }

    /// Lower-case names from the list, values of visible ASCII.
    fn headers(&self, headers: &[(String, String)]) -> Result<Vec<(String, String)>, Refusal> {
        let mut allowed = Vec::new();
        for (name, value) in headers {
            let name = name.to_ascii_lowercase();
            let visible =
                !value.is_empty() && value.len() <= MAX_TEXT && value.bytes().all(|b| (0x20..0x7f).contains(&b));
            if !HEADERS.contains(&name.as_str()) || allowed.iter().any(|(known, _)| *known == name) {
                return Err(limit(&format!("the header `{}`", crate::scrub::short(&name))));
            }
            if !visible {
                return Err(limit(&format!("the header `{name}` with something else than visible ASCII")));
            }
            allowed.push((name, value.clone()));
        }
        Ok(allowed)
    }

    /// A card number goes out behind a handle or not at all. The words that the host itself gave the call are left out
    /// of the search: a key can look like anything.
    fn holds_no_card(&self, call: &Call, entries: &[Resolved], headers: &[(String, String)]) -> Result<(), Refusal> {
        let given = [&call.idempotency_key, &call.interaction, &call.step];
        let suspicious = |text: &str| {
            let mut text = text.to_owned();
            for word in given.iter().filter(|word| !word.is_empty()) {
                text = text.replace(&body::percent_encode(word), "_").replace(word.as_str(), "_");
            }
            holds_card_number(&text)
        };
        let texts = entries.iter().filter_map(|(slot, what)| match what {
            Some((Content::Text(text), _)) => Some((slot.as_str(), text.clone())),
            Some((Content::Number(number), _)) => Some((slot.as_str(), number.to_string())),
            _ => None,
        });
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.clone()));
        for (place, text) in texts.chain(headers).chain([("the path", self.path.to_owned())]) {
            if text.len() > MAX_TEXT {
                return Err(limit(&format!("{} {place} with more than {MAX_TEXT} bytes", self.place())));
            }
            if suspicious(&text) {
                let missing =
                    "nothing grants this: a card number goes out as a handle, in a slot granted for it".to_owned();
                return Err(Refusal {
                    missing,
                    tried: format!("a card number as text in {} {place}", self.connection),
                });
            }
        }
        Ok(())
    }
}

fn stands_in(route: &Route, slot: &str, field: &str) -> bool {
    route.slots.get(slot).is_some_and(|fields| fields.contains(field))
}

fn starred(query: &str) -> String {
    let pairs =
        query.split('&').map(|pair| pair.split_once('=').map_or(pair.to_owned(), |(name, _)| format!("{name}=*")));
    pairs.collect::<Vec<_>>().join("&")
}

fn limit(tried: &str) -> Refusal {
    Refusal { missing: "nothing grants this: it is outside the contract".into(), tried: tried.to_owned() }
}

/// A number of a card's length that passes the Luhn test (ISO/IEC 7812-1), whole or in groups with spaces or hyphens
/// between them. What touches a letter is a part of an id.
fn holds_card_number(text: &str) -> bool {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | ' ' | '-'));
    let mut groups = words.map(|word| word.split([' ', '-']).collect::<Vec<_>>());
    groups.any(|groups| (0..groups.len()).any(|first| begins_card_number(&groups[first..])))
}

/// Whether the first groups together are a card number.
fn begins_card_number(groups: &[&str]) -> bool {
    let mut digits = Vec::new();
    for group in groups {
        if !group.bytes().all(|b| b.is_ascii_digit()) || digits.len() > *CARD_DIGITS.end() {
            return false;
        }
        digits.extend(group.chars().filter_map(|c| c.to_digit(10)));
        if CARD_DIGITS.contains(&digits.len()) && luhn(&digits) {
            return true;
        }
    }
    false
}

fn luhn(digits: &[u32]) -> bool {
    let value = |(index, digit): (usize, &u32)| match (index % 2, digit * 2) {
        (0, _) => *digit,
        (_, twice) if twice > 9 => twice - 9,
        (_, twice) => twice,
    };
    digits.iter().rev().enumerate().map(value).sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::holds_card_number;

    #[test]
    fn a_card_number_is_found_in_the_forms_that_people_write() {
        for text in [
            "4242424242424242",
            "card 4242 4242 4242 4242, thanks",
            "4242-4242-4242-4242",
            "1 378282246310005",
            "n=4000056655665556&x",
        ] {
            assert!(holds_card_number(text), "{text}");
        }
    }

    #[test]
    fn ids_phone_numbers_and_amounts_are_none() {
        for text in [
            "4242424242424241",
            "ch_4242424242424242",
            "9f4242424242424242ab",
            "+12175550142",
            "1767225600000000",
            "125000",
            "",
        ] {
            assert!(!holds_card_number(text), "{text}");
        }
    }
}
