//! A stream on its way down: bytes as the upstream sent them, metered beside.
//!
//! Whole events are passed on, so that a stream that breaks off never ends within one; the event
//! that ends the answer waits until its usage record stands in the journal.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use relay_core::usage::Outcome;
use relay_store::journal::Position;
use relay_wire::anthropic::error::ErrorBody;
use relay_wire::sse::{Batch, SseFramer};
use tokio::time::{Instant, Sleep};

use super::attempt::{EVENT_BYTES_MAX, Progress, StreamHead, observe, word};
use super::deadlines::idle_deadline;
use super::descent::Descent;
use super::ledger::{End, Ledger};
use super::seldom::Seldom;
use super::upstream_body::UpstreamBody;
use crate::failure::Failure;

/// How long the upstream may take to close after the answer's end.
const LINGER: Duration = Duration::from_secs(5);

type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;
type BrokenOff = Pin<Box<dyn Future<Output = Failure> + Send>>;

/// The body of a streamed answer.
pub(super) struct Passing {
    ledger: Ledger,
    upstream: Option<Upstream>,
    descent: Descent,
    queue: VecDeque<Bytes>,
    /// Until the record of the answer is as durable as was asked for, nothing more is sent.
    durable: Option<Wait>,
    broken_off: Seldom<BrokenOff>,
}

/// The upstream's side, until it is done.
struct Upstream {
    body: UpstreamBody,
    framer: SseFramer,
    idle: Idle,
}

/// A deadline that moves with every chunk; its timer is touched only when it fires.
struct Idle {
    span: Duration,
    last: Instant,
    timer: Seldom<Sleep>,
}

impl Idle {
    fn new(span: Duration) -> Self {
        let last = Instant::now();
        Self { span, last, timer: Seldom::new(tokio::time::sleep_until(last + span)) }
    }

    fn poll_passed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.timer.poll(cx, Sleep::is_elapsed).is_ready() {
            let deadline = self.last + self.span;
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            self.timer.reset(|timer| timer.reset(deadline));
        }
        Poll::Pending
    }
}

impl Passing {
    /// Goes on with a stream whose beginning was read.
    pub(super) fn new(head: StreamHead, ledger: Ledger) -> Self {
        let idle = ledger
            .account()
            .map_or(LINGER, |account| idle_deadline(account, &ledger.app().settings.calls));
        let mut passing = Self {
            broken_off: Seldom::new(Box::pin(ledger.broken_off())),
            queue: VecDeque::new(),
            descent: head.descent,
            upstream: Some(Upstream {
                body: head.body,
                framer: head.framer,
                idle: Idle::new(idle),
            }),
            durable: None,
            ledger,
        };
        for batch in &head.held {
            passing.pass(batch);
        }
        passing.ledger.show_progress();
        passing.progressed(&head.progress);
        passing
    }

    /// Lets events down to the client.
    fn pass(&mut self, batch: &Batch) {
        let told = self.descent.pass(batch);
        if !told.is_empty() {
            self.queue.push_back(told);
        }
    }

    /// Settles the call if its answer has come to an end.
    fn progressed(&mut self, progress: &Progress) {
        let end = |outcome| End { outcome, status: 200 };
        let written = match progress {
            Progress::Preamble | Progress::Content => return,
            Progress::Whole => self.ledger.settle(end(Outcome::Completed)),
            Progress::GaveUp(_) if self.ledger.meter().content_seen() => {
                self.ledger.broke("error_event");
                self.ledger.settle(end(Outcome::Cut))
            }
            Progress::GaveUp(_) => self.ledger.settle_free(end(Outcome::Rejected)),
        };
        self.await_durable(written);
        if let Some(upstream) = &mut self.upstream {
            upstream.idle = Idle::new(LINGER);
        }
    }

    fn await_durable(&mut self, written: Option<Position>) {
        if let Some(position) = written.filter(|_| self.ledger.app().waits_for_disk()) {
            let app = self.ledger.app().clone();
            self.durable = Some(Box::pin(async move { app.until_durable(position).await }));
        }
    }

    fn take(&mut self, chunk: Bytes) {
        let Some(upstream) = &mut self.upstream else { return };
        upstream.idle.last = Instant::now();
        match upstream.framer.push(chunk) {
            Ok(batch) => {
                let progress = observe(self.ledger.meter(), &batch);
                self.ledger.show_progress();
                self.progressed(&progress);
                self.pass(&batch);
            }
            Err(_) => self.break_off("event_too_large", Outcome::Cut),
        }
    }

    /// The upstream closed. What it left unfinished is passed on only if the answer is whole.
    fn closed(&mut self) {
        let Some(Upstream { framer, .. }) = self.upstream.take() else { return };
        let tail = framer.finish();
        if self.ledger.is_open() {
            // Some hosts forget the blank line after the last event.
            let mut last = SseFramer::new(EVENT_BYTES_MAX);
            if let Ok(batch) = last.push(Bytes::from([&tail[..], b"\n\n"].concat())) {
                let progress = observe(self.ledger.meter(), &batch);
                self.progressed(&progress);
                if !self.descent.passes_tail() {
                    self.pass(&batch);
                }
            }
        }
        if self.ledger.is_open() && self.ledger.meter().may_close() {
            self.progressed(&Progress::Whole);
        }
        if self.ledger.is_open() {
            return self.break_off("cut", Outcome::Cut);
        }
        if self.descent.passes_tail() && !tail.is_empty() {
            self.queue.push_back(tail);
        }
        self.end_descent();
    }

    /// What the client's protocol still says once the upstream has sent all.
    fn end_descent(&mut self) {
        let rest = self.descent.finish();
        if !rest.is_empty() {
            self.queue.push_back(rest);
        }
    }

    /// Ends an answer that will not be whole: settled, and said in the client's protocol.
    fn break_off(&mut self, why: &'static str, outcome: Outcome) {
        self.upstream = None;
        if !self.ledger.is_open() {
            // The answer was whole, and its upstream did not close.
            return self.end_descent();
        }
        self.ledger.broke(why);
        let written = self.ledger.settle(End { outcome, status: 200 });
        self.await_durable(written);
        let (kind, message) = match (outcome, why) {
            (Outcome::Shutdown, _) => ("overloaded_error", "the relay is stopping; ask again"),
            (Outcome::Cancelled, _) => ("permission_error", "an administrator ended this call"),
            (_, "stream_idle") => ("timeout_error", "the provider stopped sending"),
            _ => ("api_error", "the provider broke off its answer"),
        };
        let error = ErrorBody { kind: kind.to_owned(), message: message.to_owned() };
        let call = self.ledger.call();
        let (protocol, id) = (call.endpoint.protocol(), call.id.to_string());
        self.queue.push_back(self.descent.broken(protocol, error, &id));
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(wait) = &mut self.durable {
                std::task::ready!(wait.as_mut().poll(cx));
                self.durable = None;
            }
            if let Some(chunk) = self.queue.pop_front() {
                return Poll::Ready(Some(chunk));
            }
            let Some(upstream) = &mut self.upstream else { return Poll::Ready(None) };
            if self.ledger.is_cancelled() {
                // Also of a stream that always has more to say.
                self.break_off("cancelled", Outcome::Cancelled);
                continue;
            }
            let is_ending = || self.ledger.app().shutdown.is_ending() || self.ledger.is_cancelled();
            match upstream.body.poll_arrived(cx) {
                Poll::Ready(Some(Ok(chunk))) => self.take(chunk),
                Poll::Ready(Some(Err(fault))) => self.break_off(word(fault), Outcome::Cut),
                Poll::Ready(None) => self.closed(),
                Poll::Pending => {
                    if upstream.idle.poll_passed(cx).is_ready() {
                        self.break_off("stream_idle", Outcome::Cut);
                    } else if let Poll::Ready(why) = self.broken_off.poll(cx, |_| is_ending()) {
                        match why {
                            Failure::Cancelled => self.break_off("cancelled", Outcome::Cancelled),
                            _ => self.break_off("shutdown", Outcome::Shutdown),
                        }
                    } else {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

impl Body for Passing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.get_mut().poll_chunk(cx).map(|chunk| chunk.map(|bytes| Ok(Frame::data(bytes))))
    }
}
