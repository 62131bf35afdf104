//! Where a connector may send: connections, methods, paths and the slots that fields may stand in. A
//! manifest asks in the same words in which a grant gives.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use selvedge_workflow::source::{Diagnostic, Item, Spanned};
use serde::Serialize;

/// The methods that a request can have.
pub(crate) const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/// The longest path, pattern or real.
pub(crate) const MAX_PATH: usize = 1024;
/// A pattern, a slot or a field that cannot be what it should be.
pub(crate) const UNFIT: &str = "H710";

/// One request that is allowed, with the fields that may stand in its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Route {
    /// `POST`.
    pub method: String,
    /// `/v2/messages?client_ref=*`; a `*` stands for one segment or one value of the query.
    pub path: String,
    /// For each slot the fields that may stand there.
    pub slots: BTreeMap<String, BTreeSet<String>>,
}

impl Route {
    /// Whether a request is of this kind; its slots are judged by themselves.
    #[must_use]
    pub fn covers(&self, method: &str, path: &str) -> bool {
        self.method == method && path_fits(&self.path, path)
    }

    /// The line of a grants file that says this.
    #[must_use]
    pub fn line(&self) -> String {
        let quoted = if self.path.contains(['?', '*', '{']) { format!("\"{}\"", self.path) } else { self.path.clone() };
        let mut line = format!("- {{ method: {}, path: {quoted}", self.method);
        for (index, (slot, fields)) in self.slots.iter().enumerate() {
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            let slot = if slot.contains('[') { format!("\"{slot}\"") } else { slot.clone() };
            let before = if index == 0 { ", slots: {" } else { "," };
            let _ = write!(line, "{before} {slot}: [{}]", fields.join(", "));
        }
        line.push_str(if self.slots.is_empty() { " }" } else { " } }" });
        line
    }
}

/// By the name of the connection.
pub type Routes = BTreeMap<String, Vec<Route>>;

/// Reads `connections:`. `known` are the fields of the same file; a slot cannot name another.
pub(crate) fn read(connections: &Item<'_, '_>, known: &BTreeSet<String>, report: &dyn Fn(Diagnostic)) -> Routes {
    let mut routes = Routes::new();
    for (name, items) in connections.entries() {
        let each = items.items().iter().filter_map(|item| read_route(item, known, report)).collect();
        routes.insert(name.value, each);
    }
    routes
}

fn read_route(item: &Item<'_, '_>, known: &BTreeSet<String>, report: &dyn Fn(Diagnostic)) -> Option<Route> {
    let route = item.map(&["method", "path", "slots"]);
    let method = route.required("method").one_of(&METHODS);
    let path = route.required("path").parsed(PATTERN, |text| is_pattern(text).then(|| text.to_owned()));
    let slots = route.optional("slots").entries();
    let mut allowed = BTreeMap::new();
    for (slot, fields) in slots {
        let fields = fields.texts();
        for field in fields.iter().filter(|field| !known.contains(&field.value)) {
            let message =
                format!("the slot `{}` names `{}`, which `fields:` of this file does not", slot.value, field.value);
            let help = format!("add `{}` to `fields:`", field.value);
            report(Diagnostic::new(UNFIT, message).at(&field.span).help(help));
        }
        allowed.insert(slot.value, fields.into_iter().map(|Spanned { value, .. }| value).collect());
    }
    Some(Route { method: method?.value, path: path?.value, slots: allowed })
}

const PATTERN: &str = "a path such as `/v2/messages?client_ref=*`, where each `*` is a whole segment or a whole value";

/// A pattern has no part that a URL reader would change, and each `*` fills the space between two delimiters.
fn is_pattern(text: &str) -> bool {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let literal = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:@,".contains(&b));
    let word = |text: &str| text == "*" || literal(text);
    let segments_fit = path.split('/').skip(1).all(|part| !matches!(part, "" | "." | "..") && word(part));
    let query_fits = query.split('&').all(|pair| match pair.split_once('=') {
        Some((name, value)) => !name.is_empty() && literal(name) && word(value),
        None => literal(pair),
    });
    text.len() <= MAX_PATH && path.len() > 1 && path.starts_with('/') && segments_fit && query_fits
}

/// Whether a real path is one of the pattern's. What a `*` stands for cannot climb, split or end a path, not even
/// percent-encoded.
fn path_fits(pattern: &str, real: &str) -> bool {
    if real.len() > MAX_PATH {
        return false;
    }
    let ((path, query), (real_path, real_query)) = (halves(pattern), halves(real));
    let segment = |want: &str, is: &str| want == is || (want == "*" && is_value(is, true));
    let pair = |want: &str, is: &str| match (want.split_once('='), is.split_once('=')) {
        (Some((name, "*")), Some((given, value))) => name == given && is_value(value, false),
        _ => want == is,
    };
    same_parts(path, real_path, '/', segment)
        && match (query, real_query) {
            (Some(query), Some(real)) => same_parts(query, real, '&', pair),
            (None, None) => true,
            _ => false,
        }
}

fn halves(text: &str) -> (&str, Option<&str>) {
    text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)))
}

fn same_parts(want: &str, is: &str, between: char, fits: impl Fn(&str, &str) -> bool) -> bool {
    let (want, is): (Vec<_>, Vec<_>) = (want.split(between).collect(), is.split(between).collect());
    want.len() == is.len() && want.iter().zip(&is).all(|(want, is)| fits(want, is))
}

fn is_value(text: &str, in_path: bool) -> bool {
    let Some(decoded) = decode(text) else { return false };
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%:@,".contains(&b));
    let climbs = in_path && (matches!(&decoded[..], b"." | b"..") || decoded.iter().any(|b| matches!(b, b'/' | b'\\')));
    plain && !decoded.is_empty() && !climbs && !decoded.iter().any(u8::is_ascii_control)
}

/// Undoes percent-encoding; `None` where it is broken.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut out = parts.next()?.as_bytes().to_vec();
    for part in parts {
        out.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        out.extend_from_slice(&part.as_bytes()[2..]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_value_and_nothing_more() {
        let fits = |real: &str| path_fits("/v2/messages?client_ref=*", real);
        assert!(fits("/v2/messages?client_ref=int_1%3Acode"));
        for real in [
            "/v2/messages",
            "/v2/messages?client_ref=",
            "/v2/messages?client_ref=a&all=1",
            "/v2/messages?client_ref=a#b",
            "/v2/messages?client_ref=a?b",
            "/v2/messages?client_ref=%zz",
            "/v2/messages?client_ref=%0d%0aHost:x",
            "/v2/messages?client_ref=\u{e9}",
            "/v2/messages/?client_ref=a",
            "/v2/other?client_ref=a",
        ] {
            assert!(!fits(real), "{real}");
        }
    }

    #[test]
    fn a_star_in_a_path_cannot_climb() {
        let fits = |real: &str| path_fits("/v1/charges/*/refunds", real);
        assert!(fits("/v1/charges/ch_1/refunds"));
        for real in [
            "/v1/charges/../refunds",
            "/v1/charges/%2e%2E/refunds",
            "/v1/charges/a%2fb/refunds",
            "/v1/charges//refunds",
        ] {
            assert!(!fits(real), "{real}");
        }
    }

    #[test]
    fn only_paths_that_mean_what_they_say_are_patterns() {
        for good in ["/v2/messages", "/v1/charges?reference=*", "/v1/charges/*/refunds", "/a?b=1&c=*"] {
            assert!(is_pattern(good), "{good}");
        }
        for bad in
            ["", "/", "v2", "/a/../b", "/a//b", "/a*", "/a?b=x*", "/a?*=1", "/%2e", "/a b", "/a#b", "//evil.example/a"]
        {
            assert!(!is_pattern(bad), "{bad}");
        }
    }

    #[test]
    fn a_route_is_said_as_the_grants_file_says_it() {
        let slots = BTreeMap::from([("/to".to_owned(), BTreeSet::from(["patient.mobile".to_owned()]))]);
        let route = Route { method: "POST".into(), path: "/v2/messages".into(), slots };
        assert_eq!(route.line(), "- { method: POST, path: /v2/messages, slots: { /to: [patient.mobile] } }");
        let route = Route { method: "GET".into(), path: "/v2/messages?client_ref=*".into(), slots: BTreeMap::new() };
        assert_eq!(route.line(), "- { method: GET, path: \"/v2/messages?client_ref=*\" }");
    }
}
