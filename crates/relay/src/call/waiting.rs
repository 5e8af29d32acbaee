//! A stream whose upstream takes long: its client gets a sign of life meanwhile.
//!
//! The sign commits the status 200 but is no content: attempts go on, and if all fail, the client
//! gets its protocol's error event.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use relay_core::protocol::{Family, Protocol};
use relay_wire::anthropic::error::{self, ErrorBody, kind_of_status};
use relay_wire::broken;
use tokio::time::Sleep;

use super::answer::settle_whole;
use super::attempt::Reply;
use super::ledger::Ledger;
use super::stream::Passing;
use crate::failure::Unserved;

/// The attempts of a call, still under way.
pub(super) type Running = Pin<Box<dyn Future<Output = Result<(Reply, Ledger), Unserved>> + Send>>;

/// The body of a streamed answer that has not begun upstream.
pub(super) struct Waiting {
    state: State,
    protocol: Protocol,
    family: Family,
    request_id: String,
}

enum State {
    Running {
        running: Running,
        timer: Pin<Box<Sleep>>,
        every: Duration,
    },
    Passing(Box<Passing>),
    /// The record of an answer that came whole gets as durable as was asked for.
    Settling(Pin<Box<dyn Future<Output = Bytes> + Send>>),
    Last(Bytes),
    Done,
}

impl Waiting {
    /// Waits on, with a sign of life at once and then after every span of `every`.
    pub(super) fn new(
        running: Running,
        every: Duration,
        (protocol, family): (Protocol, Family),
        request_id: String,
    ) -> Self {
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        Self { state: State::Running { running, timer, every }, protocol, family, request_id }
    }

    fn decided(&self, outcome: Result<(Reply, Ledger), Unserved>) -> State {
        match outcome {
            Ok((Reply::Stream(head), ledger)) => {
                State::Passing(Box::new(Passing::new(head, ledger)))
            }
            Ok((Reply::Whole(reply), mut ledger)) => {
                let written = settle_whole(&mut ledger, &reply);
                let said = error::parse(&reply.body);
                let status = reply.status.as_u16();
                let (kind, message) = match &said {
                    Some(error) => (error.kind.as_str(), error.message.as_str()),
                    None => (kind_of_status(status), "the provider did not answer with a stream"),
                };
                let event =
                    if reply.is_stream() { reply.body.clone() } else { self.error(kind, message) };
                State::Settling(Box::pin(async move {
                    if let Some(position) = written {
                        ledger.app().until_durable(position).await;
                    }
                    event
                }))
            }
            Err(unserved) => {
                let face = unserved.failure.face(self.family);
                let kind = kind_of_status(face.status.as_u16());
                State::Last(self.error(kind, &face.message))
            }
        }
    }

    fn error(&self, kind: &str, message: &str) -> Bytes {
        let error = ErrorBody { kind: kind.to_owned(), message: message.to_owned() };
        broken::end(self.protocol, error, &self.request_id)
    }
}

impl Body for Waiting {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                State::Running { running, timer, every } => {
                    if let Poll::Ready(outcome) = running.as_mut().poll(cx) {
                        this.state = this.decided(outcome);
                        continue;
                    }
                    std::task::ready!(timer.as_mut().poll(cx));
                    timer.as_mut().reset(tokio::time::Instant::now() + *every);
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(
                        broken::keep_alive(this.protocol),
                    )))));
                }
                State::Passing(passing) => return Pin::new(passing.as_mut()).poll_frame(cx),
                State::Settling(settling) => {
                    this.state = State::Last(std::task::ready!(settling.as_mut().poll(cx)));
                }
                State::Last(_) => {
                    let State::Last(event) = std::mem::replace(&mut this.state, State::Done) else {
                        return Poll::Ready(None);
                    };
                    return Poll::Ready(Some(Ok(Frame::data(event))));
                }
                State::Done => return Poll::Ready(None),
            }
        }
    }
}
