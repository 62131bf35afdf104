//! A driver that ends in a panic has met a defect of ours, and must not take its run with it: the run is driven again,
//! a few times, with a pause in which somebody may notice. What was not durable is decided anew.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// How often in a row a run is driven again after its driver ended in a defect. Then it rests, until something arrives for
/// it or its node is started again.
pub const MAX_DEFECTS: u32 = 3;

/// The driver ended in a panic. What it said went to stderr; it may hold a value, so it is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Defect;

/// What a future gives, or that it panicked. It is not polled again then; what it held is given back as it is dropped.
pub(crate) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Defect> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Ready(given)) => Poll::Ready(Ok(given)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(Err(Defect)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_the_future_and_not_who_waits_for_it() {
        let held = tokio::sync::Mutex::new(());
        let ended = caught(async {
            let _held = held.lock().await;
            tokio::task::yield_now().await;
            panic!("a defect");
        });
        assert_eq!(ended.await, Err::<(), _>(Defect));
        assert!(held.try_lock().is_ok(), "what it held is free");
        assert_eq!(caught(async { 7 }).await, Ok(7));
    }
}
