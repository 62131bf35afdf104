//! A vendor's address and keys, given by the wiring under the name that connectors and grants use.

use std::collections::BTreeMap;

use reqwest::Url;
use secrecy::SecretString;

/// By name: `brightline`.
pub type Connections = BTreeMap<String, Connection>;

/// One connection. It has no `Debug`: it holds keys.
#[derive(Clone)]
pub struct Connection {
    /// `https://api.example.com`, with a path below which everything lies if the vendor has one. Plain http is for
    /// loopback only.
    pub base_url: String,
    /// Sent as `Authorization: Bearer …`.
    pub credential: SecretString,
    /// What the vendor signs its webhooks with; none are accepted without it.
    pub webhook_secret: Option<SecretString>,
}

impl Connection {
    /// The connection with its base URL in the form that paths are put behind.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub(crate) fn checked(&self) -> Result<Self, String> {
        let url = Url::parse(&self.base_url).map_err(|_| "its base URL is malformed".to_owned())?;
        let extras =
            !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some();
        if extras {
            return Err("its base URL has a user, a query or a fragment".into());
        }
        match (url.scheme(), url.host_str()) {
            ("https", Some(_)) => {}
            ("http", Some(host)) if is_loopback(host) => {}
            ("http", Some(_)) => return Err("its base URL is http, and its host is not loopback".into()),
            _ => return Err("its base URL is not https".into()),
        }
        Ok(Self { base_url: url.as_str().trim_end_matches('/').to_owned(), ..self.clone() })
    }

    /// The host that requests go to, for people.
    pub(crate) fn host(&self) -> String {
        Url::parse(&self.base_url).ok().and_then(|url| Some(url.host_str()?.to_owned())).unwrap_or_default()
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base_url: &str) -> Result<String, String> {
        let connection = Connection { base_url: base_url.into(), credential: "k".into(), webhook_secret: None };
        connection.checked().map(|connection| connection.base_url)
    }

    #[test]
    fn only_https_or_loopback() {
        assert_eq!(check("https://api.example.com/v1/").unwrap(), "https://api.example.com/v1");
        assert_eq!(check("http://127.0.0.1:8080").unwrap(), "http://127.0.0.1:8080");
        assert!(check("http://[::1]:8080").is_ok());
        for bad in [
            "http://api.example.com",
            "http://127.0.0.1.example.com",
            "ftp://127.0.0.1",
            "https://user:pass@api.example.com",
            "https://api.example.com/?x=1",
            "api.example.com",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
