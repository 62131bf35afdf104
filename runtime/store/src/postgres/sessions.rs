//! Sessions of people at work, by the hash of their token.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{Session, Sessions};

use super::{PostgresStore, unavailable};
use crate::rows::session;

#[async_trait]
impl Sessions for PostgresStore {
    async fn put_session(&self, token_hash: &str, session: &Session) -> Result<(), StoreError> {
        let body = serde_json::to_string(session).map_err(|e| StoreError::Unreadable { what: e.to_string() })?;
        let query = sqlx::query("INSERT INTO sessions (token_hash, body, last_used) VALUES ($1, $2, $3)")
            .bind(token_hash)
            .bind(body)
            .bind(session.last_used);
        query.execute(self.pool()).await.map(|_| ()).map_err(unavailable("keep a session"))
    }

    async fn session(&self, token_hash: &str) -> Result<Option<Session>, StoreError> {
        let row = sqlx::query("SELECT body, last_used FROM sessions WHERE token_hash = $1")
            .bind(token_hash)
            .fetch_optional(self.pool())
            .await;
        row.map_err(unavailable("read a session"))?.as_ref().map(session).transpose()
    }

    async fn end_session(&self, token_hash: &str) -> Result<(), StoreError> {
        let query = sqlx::query("DELETE FROM sessions WHERE token_hash = $1").bind(token_hash);
        query.execute(self.pool()).await.map(|_| ()).map_err(unavailable("end a session"))
    }

    async fn touch_session(&self, token_hash: &str, at: Micros) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE sessions SET last_used = $1 WHERE token_hash = $2").bind(at).bind(token_hash);
        query.execute(self.pool()).await.map(|_| ()).map_err(unavailable("note a session's use"))
    }
}
