//! Sessions of people at work, by the hash of their token.

use async_trait::async_trait;
use selvedge_engine::StoreError;
use selvedge_engine::ports::Micros;
use selvedge_engine::ports::store::{Session, Sessions};
use sqlx::Row;

use super::{SqliteStore, unavailable};

#[async_trait]
impl Sessions for SqliteStore {
    async fn put_session(&self, token_hash: &str, session: &Session) -> Result<(), StoreError> {
        let body = serde_json::to_string(session).map_err(|e| StoreError::Unreadable { what: e.to_string() })?;
        let (hash, last_used) = (token_hash.to_owned(), session.last_used);
        self.writer
            .run("keep a session", move |desk| {
                Box::pin(async move {
                    let query = sqlx::query("INSERT INTO sessions (token_hash, body, last_used) VALUES (?, ?, ?)")
                        .bind(hash)
                        .bind(body)
                        .bind(last_used);
                    query.execute(&mut desk.connection).await.map(|_| ()).map_err(unavailable("keep a session"))
                })
            })
            .await
    }

    async fn session(&self, token_hash: &str) -> Result<Option<Session>, StoreError> {
        let row = sqlx::query("SELECT body, last_used FROM sessions WHERE token_hash = ?")
            .bind(token_hash)
            .fetch_optional(&self.read)
            .await;
        let Some(row) = row.map_err(unavailable("read a session"))? else { return Ok(None) };
        let body: String = row.get("body");
        let session: Session =
            serde_json::from_str(&body).map_err(|e| StoreError::Unreadable { what: format!("a session: {e}") })?;
        Ok(Some(Session { last_used: row.get("last_used"), ..session }))
    }

    async fn end_session(&self, token_hash: &str) -> Result<(), StoreError> {
        let hash = token_hash.to_owned();
        self.writer
            .run("end a session", move |desk| {
                Box::pin(async move {
                    let query = sqlx::query("DELETE FROM sessions WHERE token_hash = ?").bind(hash);
                    query.execute(&mut desk.connection).await.map(|_| ()).map_err(unavailable("end a session"))
                })
            })
            .await
    }

    async fn touch_session(&self, token_hash: &str, at: Micros) -> Result<(), StoreError> {
        let hash = token_hash.to_owned();
        self.writer
            .run("note a session's use", move |desk| {
                Box::pin(async move {
                    let query =
                        sqlx::query("UPDATE sessions SET last_used = ? WHERE token_hash = ?").bind(at).bind(hash);
                    query.execute(&mut desk.connection).await.map(|_| ()).map_err(unavailable("note a session's use"))
                })
            })
            .await
    }
}
