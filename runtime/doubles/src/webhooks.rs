//! News to the client: signed, sent again until it is acknowledged or the vendor's patience ends.

use std::time::Duration;

use tokio::sync::watch;

use crate::Now;

/// The pauses between the attempts at one delivery: quick at first, about half a minute in all. When they
/// are used up, a new address or a restart begins again.
const PAUSES_MS: [u64; 10] = [50, 100, 200, 400, 800, 1600, 3200, 6400, 6400, 6400];
/// How long one attempt waits for the receiver.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes the signature headers from the secret, the Unix time in seconds and the raw body.
pub(crate) type Sign = fn(secret: &str, seconds: i64, body: &str) -> Vec<(&'static str, String)>;

/// The way to one client.
pub(crate) struct Webhooks {
    url: watch::Sender<String>,
    secret: String,
    sign: Sign,
    now: Now,
    client: reqwest::Client,
}

impl Webhooks {
    /// An empty `url` holds everything back until [`Webhooks::set_url`]. Errors: no HTTP client can be made.
    pub fn new(url: String, secret: String, sign: Sign, now: Now) -> std::io::Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(std::io::Error::other)?;
        Ok(Webhooks { url: watch::Sender::new(url), secret, sign, now, client })
    }

    /// From now on everything goes to `url`, also what could not be delivered before.
    pub fn set_url(&self, url: String) {
        self.url.send_replace(url);
    }

    /// Returns when the receiver has acknowledged `body` with a 2xx.
    pub async fn deliver(&self, body: &str) {
        let mut address = self.url.subscribe();
        // The sender lives in `self`, so these waits end with a new address only.
        while address.wait_for(|url| !url.is_empty()).await.is_ok() {
            if self.try_patiently(&mut address, body).await {
                return;
            }
        }
    }

    /// True: acknowledged. False: the address changed meanwhile.
    async fn try_patiently(&self, address: &mut watch::Receiver<String>, body: &str) -> bool {
        for pause in PAUSES_MS {
            let url = address.borrow_and_update().clone();
            if self.attempt(&url, body).await {
                return true;
            }
            if tokio::time::timeout(Duration::from_millis(pause), address.changed()).await.is_ok() {
                return false;
            }
        }
        let _ = address.changed().await;
        false
    }

    async fn attempt(&self, url: &str, body: &str) -> bool {
        let seconds = (self.now)().div_euclid(1_000_000);
        let mut request = self.client.post(url).header("content-type", "application/json");
        for (name, value) in (self.sign)(&self.secret, seconds, body) {
            request = request.header(name, value);
        }
        let answer = request.body(body.to_owned()).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }
}
