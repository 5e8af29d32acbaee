//! A future that rarely has anything to say, beside one that often has.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::task::unconstrained;

/// Polled by a task that other things wake: as long as it stays the same task, and nothing tells
/// that this is due, there is no need to ask again. Each asking would take a lock.
pub(super) struct Seldom<F> {
    future: Pin<Box<F>>,
    /// Whom the future wakes.
    wakes: Option<Waker>,
}

impl<F: Future> Seldom<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future: Box::pin(future), wakes: None }
    }

    /// Polls the future if `is_due` says so of it, or if it would wake another task than this.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        is_due: impl FnOnce(&F) -> bool,
    ) -> Poll<F::Output> {
        let is_known = self.wakes.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if is_known && !is_due(&self.future) {
            return Poll::Pending;
        }
        if !is_known {
            self.wakes = Some(cx.waker().clone());
        }
        // With the task's budget used up, a future may say that it waits without having arranged
        // to be woken; it would not be asked again.
        pin!(unconstrained(self.future.as_mut())).poll(cx)
    }

    /// Changes the future, which is asked again at the next poll.
    pub(super) fn reset(&mut self, with: impl FnOnce(Pin<&mut F>)) {
        with(self.future.as_mut());
        self.wakes = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::{Instant, Sleep, sleep};

    use super::*;

    #[tokio::test]
    async fn it_wakes_the_task_that_asked_last() {
        let (sender, receiver) = oneshot::channel();
        let mut seldom = Seldom::new(receiver);
        let mut elsewhere = Context::from_waker(Waker::noop());
        assert!(seldom.poll(&mut elsewhere, |_| false).is_pending());
        let asking = tokio::spawn(async move {
            std::future::poll_fn(|cx| seldom.poll(cx, |receiver| !receiver.is_empty())).await
        });
        tokio::task::yield_now().await;
        sender.send(7).expect("it is waited for");
        assert_eq!(asking.await.expect("no panic"), Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn it_wakes_a_task_that_had_no_budget_left_when_it_asked() {
        let mut seldom = Seldom::new(sleep(Duration::from_secs(1)));
        let begun = Instant::now();
        let mut spent = false;
        let asking = std::future::poll_fn(|cx| {
            while !spent && pin!(tokio::task::consume_budget()).poll(cx).is_ready() {}
            spent = true;
            seldom.poll(cx, Sleep::is_elapsed)
        });
        tokio::time::timeout(Duration::from_secs(9), asking).await.expect("it is woken");
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_is_put_off_fires_at_its_new_time() {
        let mut seldom = Seldom::new(sleep(Duration::from_secs(1)));
        let begun = Instant::now();
        let mut put_off = false;
        std::future::poll_fn(|cx| {
            let passed = seldom.poll(cx, Sleep::is_elapsed);
            if passed.is_ready() && !put_off {
                put_off = true;
                seldom.reset(|sleep| sleep.reset(begun + Duration::from_secs(5)));
                return seldom.poll(cx, Sleep::is_elapsed);
            }
            passed
        })
        .await;
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
    }
}
