//! Who is asking? A person, on a verified device, in a function: the session behind a token. And may they? That
//! is [`App::authorize`], the one door; the answer is the access policy's.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use selvedge_engine::Who;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::Session;
use selvedge_policy::{Decision, Principal, Resource};
use serde_json::json;

use crate::app::App;
use crate::error::ServerError;

/// So long may a session lie idle: 15 minutes (PCI DSS 8.2.8).
pub const IDLE_LIMIT: Micros = 15 * 60 * 1_000_000;
/// The use of a session is noted at most this often: once a minute. A session may so end a minute early, never
/// late.
const TOUCH_EVERY: Micros = 60 * 1_000_000;
/// The longest token that is looked up.
const MAX_TOKEN_BYTES: usize = 256;
/// The console's cookie.
pub const SESSION_COOKIE: &str = "session";

/// What a token is stored as: its SHA-256 in lower-case hex. Tokens are random, so the hash needs no salt.
pub fn token_hash(token: &str) -> String {
    hex::encode(digest(&SHA256, token.as_bytes()))
}

/// A person at work whose session holds now.
#[derive(Clone)]
pub struct Staff {
    /// The session.
    pub session: Session,
}

/// The person behind the console's cookie.
pub struct Console(pub Staff);

impl Staff {
    /// Takes a session in, if it holds at `now` for this tenant.
    fn admit(session: Session, tenant: &str, now: Micros) -> Result<Staff, ServerError> {
        let over = |why| Err(ServerError::SessionOver { why });
        if session.tenant != tenant {
            return over("it is not known here");
        }
        if session.expires <= now {
            return over("it has expired");
        }
        if now - session.last_used >= IDLE_LIMIT {
            return over("it was idle for too long");
        }
        if !session.device_verified {
            return Err(ServerError::DeviceNotVerified { device: session.device });
        }
        Ok(Staff { session })
    }

    /// As the record names them.
    pub fn who(&self) -> Who {
        Who {
            actor: format!("person:{}", self.session.person),
            device: Some(self.session.device.clone()),
            function: Some(self.session.function.clone()),
            session: Some(self.session.id.clone()),
        }
    }

    fn principal(&self) -> Principal {
        Principal {
            session: self.session.id.clone(),
            person: self.session.person.clone(),
            device: self.session.device.clone(),
            device_verified: self.session.device_verified,
            function: self.session.function.clone(),
        }
    }
}

impl App {
    /// The person behind a token.
    ///
    /// Errors: N802 (no such session, or at its end), N803 (the device).
    pub async fn staff(&self, token: &str) -> Result<Staff, ServerError> {
        if token.is_empty() || token.len() > MAX_TOKEN_BYTES {
            return Err(ServerError::NoSession);
        }
        let (hash, now) = (token_hash(token), self.engine.now());
        let store = self.engine.store();
        let unknown = ServerError::SessionOver { why: "it is not known here" };
        let session = store.session(&hash).await?.ok_or(unknown)?;
        let staff = Staff::admit(session, &self.tenant, now)?;
        if now - staff.session.last_used >= TOUCH_EVERY {
            store.touch_session(&hash, now).await?;
        }
        Ok(staff)
    }

    /// May this person do `action` to this interaction, which `opened_by` opened or took over since (as the record names them)?
    /// Everything that the server does for a colleague asks here.
    ///
    /// Errors: N804 with the reasons, and with the fact or the line that would permit it.
    pub async fn authorize(
        &self,
        staff: &Staff,
        action: &str,
        interaction: &str,
        opened_by: &str,
    ) -> Result<(), ServerError> {
        let decision = self.decide(staff, action, interaction, opened_by);
        if decision.is_permit() {
            return Ok(());
        }
        let session = staff.session.id.as_str();
        tracing::warn!(session, action, interaction, code = "N804", "the access policy refused");
        let refused = json!({ "action": action, "interaction": interaction, "decision": decision });
        self.engine.note(&staff.session.tenant, &staff.who(), "access.refused", refused).await?;
        let says: Vec<&str> = decision.reasons.iter().map(|reason| reason.says.as_str()).collect();
        Err(ServerError::Refused {
            function: staff.session.function.clone(),
            action: action.to_owned(),
            help: says.join("\n"),
            reasons: decision.reasons,
        })
    }

    /// The same question where nothing is done yet: whether to offer a button.
    pub fn may(&self, staff: &Staff, action: &str, interaction: &str, opened_by: &str) -> bool {
        self.decide(staff, action, interaction, opened_by).is_permit()
    }

    fn decide(&self, staff: &Staff, action: &str, interaction: &str, opened_by: &str) -> Decision {
        let opened_by = opened_by.strip_prefix("person:").unwrap_or_default();
        let resource = Resource { interaction: interaction.to_owned(), opened_by: opened_by.to_owned() };
        self.access.authorize(&staff.principal(), action, &resource)
    }
}

impl FromRequestParts<Arc<App>> for Staff {
    type Rejection = ServerError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Staff, ServerError> {
        app.staff(bearer(&parts.headers).ok_or(ServerError::NoSession)?).await
    }
}

impl FromRequestParts<Arc<App>> for Console {
    type Rejection = ServerError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Console, ServerError> {
        let token = cookie(&parts.headers, SESSION_COOKIE).ok_or(ServerError::NoSession)?;
        Ok(Console(app.staff(token).await?))
    }
}

/// The token of the one `Authorization: Bearer` header (RFC 6750).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The value of a cookie.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(key, value)| (key == name).then_some(value))
}

/// A cookie that no script reads and no other site sends, under `path`. An empty value takes it away. `None`:
/// the value cannot stand in a header.
pub fn set_cookie(name: &str, value: &str, path: &str, secure: bool) -> Option<HeaderValue> {
    let end = if value.is_empty() { "; Max-Age=0" } else { "" };
    let secure = if secure { "; Secure" } else { "" };
    let mut line =
        HeaderValue::try_from(format!("{name}={value}; Path={path}; HttpOnly; SameSite=Strict{secure}{end}")).ok()?;
    line.set_sensitive(true);
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = 1_795_539_780_000_000;

    fn session() -> Session {
        Session {
            id: "ses_1".into(),
            tenant: "clinic".into(),
            person: "maria".into(),
            device: "desk-7".into(),
            device_verified: true,
            function: "billing-agent".into(),
            expires: NOW + 1,
            last_used: NOW,
        }
    }

    fn refused(session: Session, now: Micros) -> Option<String> {
        Staff::admit(session, "clinic", now).err().map(|error| error.to_string())
    }

    #[test]
    fn a_session_holds_until_it_expires() {
        assert_eq!(refused(session(), NOW), None);
        assert_eq!(refused(session(), NOW + 1).unwrap(), "the session is over: it has expired");
    }

    #[test]
    fn fifteen_idle_minutes_end_it() {
        let long = Session { expires: NOW + 10 * IDLE_LIMIT, ..session() };
        assert_eq!(refused(long.clone(), NOW + IDLE_LIMIT - 1), None);
        assert_eq!(refused(long, NOW + IDLE_LIMIT).unwrap(), "the session is over: it was idle for too long");
    }

    #[test]
    fn another_tenant_s_session_is_not_known_and_an_unverified_device_is_named() {
        let other = Session { tenant: "bank".into(), ..session() };
        assert_eq!(refused(other, NOW).unwrap(), "the session is over: it is not known here");
        let unproved = Session { device_verified: false, ..session() };
        assert_eq!(refused(unproved, NOW).unwrap(), "the device `desk-7` was not verified");
    }

    #[test]
    fn the_token_comes_from_one_bearer_header() {
        let headers = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::AUTHORIZATION, HeaderValue::from_str(line).unwrap());
            }
            headers
        };
        assert_eq!(bearer(&headers(&["Bearer abc"])), Some("abc"));
        assert_eq!(bearer(&headers(&["bearer  abc "])), Some("abc"));
        assert_eq!(bearer(&headers(&["Basic abc"])), None);
        assert_eq!(bearer(&headers(&["Bearer"])), None);
        assert_eq!(bearer(&headers(&[])), None);
        assert_eq!(bearer(&headers(&["Bearer a", "Bearer b"])), None, "two people cannot ask at once");
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("xmark=1; mark=2"));
        headers.append(header::COOKIE, HeaderValue::from_static("session=3"));
        assert_eq!(cookie(&headers, "mark"), Some("2"));
        assert_eq!(cookie(&headers, "session"), Some("3"));
        assert_eq!(cookie(&headers, "ark"), None);
    }

    #[test]
    fn cookies_stay_with_the_browser_and_this_site() {
        let line = |value, secure| set_cookie("mark", value, "/pay", secure).unwrap();
        assert_eq!(line("v", false), "mark=v; Path=/pay; HttpOnly; SameSite=Strict");
        assert_eq!(line("v", true), "mark=v; Path=/pay; HttpOnly; SameSite=Strict; Secure");
        assert_eq!(line("", false), "mark=; Path=/pay; HttpOnly; SameSite=Strict; Max-Age=0");
        assert!(line("v", false).is_sensitive());
        assert!(set_cookie("mark", "a\nb", "/pay", false).is_none());
    }

    #[test]
    fn a_token_is_stored_as_its_sha_256() {
        assert_eq!(token_hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
