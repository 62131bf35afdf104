//! Writes down every request as it arrived, so that a canary scan can read what left the client: path, headers
//! and body, but for the credential and the slots in which this vendor is meant to get card data.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use axum::http::request::Parts;
use axum::http::{HeaderName, header};
use serde_json::json;

/// What a granted card slot is written as.
const GRANTED: &str = "[granted slot]";

/// The witness of one vendor.
pub(crate) struct Witness {
    file: Mutex<File>,
    /// Form fields in which card data may arrive.
    slots: &'static [&'static str],
}

impl Witness {
    /// Appends to `path`.
    pub fn open(path: &Path, slots: &'static [&'static str]) -> std::io::Result<Witness> {
        use std::os::unix::fs::OpenOptionsExt;
        let file = File::options().create(true).append(true).mode(0o600).open(path)?;
        Ok(Witness { file: Mutex::new(file), slots })
    }

    /// Writes a request down. What cannot be written is lost: the witness is no vendor.
    pub fn saw(&self, head: &Parts, body: &[u8]) {
        let headers: Vec<String> = head
            .headers
            .iter()
            .filter(|(name, _)| **name != header::AUTHORIZATION)
            .map(|(name, value): (&HeaderName, _)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        let body = self.without_slots(&String::from_utf8_lossy(body));
        let line =
            json!({ "method": head.method.as_str(), "uri": head.uri.to_string(), "headers": headers, "body": body });
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(file, "{line}");
    }

    fn without_slots(&self, body: &str) -> String {
        let field = |pair: &str| {
            let (name, _) = pair.split_once('=')?;
            let name = name.replace("%5B", "[").replace("%5D", "]");
            self.slots.contains(&name.as_str()).then(|| format!("{name}={GRANTED}"))
        };
        let pairs: Vec<String> = body.split('&').map(|pair| field(pair).unwrap_or_else(|| pair.to_owned())).collect();
        pairs.join("&")
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn card_data_is_left_out_of_its_slots_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("requests.jsonl");
        let witness = Witness::open(&path, &["card[number]"]).unwrap();
        let (head, ()) =
            Request::post("/v1/charges?x=1").header("authorization", "Bearer sk").body(()).unwrap().into_parts();
        witness.saw(&head, b"amount=5&card%5Bnumber%5D=4242&note=leaked");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("card[number]=[granted slot]&note=leaked"), "{text}");
        assert!(!text.contains("4242") && !text.contains("sk"), "{text}");
    }
}
