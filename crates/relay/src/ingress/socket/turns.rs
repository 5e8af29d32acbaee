//! The turns of a socket, one after the other.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::Response;
use http::header::{HeaderMap, RETRY_AFTER};
use http::request::Parts;
use http_body_util::{BodyExt, Limited};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use relay_core::id::KeyId;
use relay_core::protocol::Family;
use relay_wire::broken;
use relay_wire::responses::peek;
use relay_wire::responses::socket::{Heard, Memory, Turn, TurnError, warm_up_frames};
use relay_wire::sse::SseFramer;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};

use crate::app::App;
use crate::body;
use crate::call::EVENT_BYTES_MAX;
use crate::client_id::ClientId;
use crate::failure::{CallerFault, Failure, Unserved};
use crate::ingress::{Arrival, turn};
use crate::route::Asked;
use crate::shutdown::Stage;

/// How long a socket may go without a turn.
const IDLE_MAX: Duration = Duration::from_hours(1);
/// How often the other side is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(30);
/// How long it may be silent: a ping and most of another remained without an answer.
const SILENCE_MAX: Duration = Duration::from_secs(75);
/// How long a frame may take to leave.
const SEND_WITHIN: Duration = Duration::from_mins(1);
/// How long a connection is read on after it was closed.
const LINGER: Duration = Duration::from_secs(5);
/// The largest refusal that is told.
const REFUSAL_BYTES_MAX: usize = 1 << 20;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// One socket, and whose it is.
pub(super) struct Conversation {
    pub(super) app: Arc<App>,
    pub(super) asked: Asked,
    pub(super) head: Parts,
    pub(super) key: KeyId,
    pub(super) address: IpAddr,
    pub(super) client: ClientId,
}

/// The other side is gone, or has to go.
enum Gone {
    /// It left.
    Left,
    /// It said that it leaves.
    Closing,
    /// What it sent cannot be read.
    Unreadable(CloseCode, &'static str),
}

/// The socket, and what is known of the other side.
struct Line {
    socket: Socket,
    ping: Interval,
    /// When it was heard last.
    heard: Instant,
    /// A message that came during a turn.
    waiting: Option<Bytes>,
}

impl Conversation {
    /// Serves turns until the other side leaves, is silent for too long, or the relay stops.
    pub(super) async fn run(self, socket: Socket) {
        let mut ping = interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut line = Line { socket, ping, heard: Instant::now(), waiting: None };
        let mut memory = Memory::default();
        let draining = self.app.shutdown.reached(Stage::Draining);
        tokio::pin!(draining);
        loop {
            let idle_until = Instant::now() + IDLE_MAX;
            let message = tokio::select! {
                biased;
                message = line.message() => message,
                () = &mut draining => return line.close(CloseCode::Restart, "the relay stops").await,
                () = tokio::time::sleep_until(idle_until) => {
                    return line.close(CloseCode::Normal, "nothing was asked for an hour").await;
                }
            };
            let turn = async { self.turn(&mut line, &mut memory, message?).await };
            if let Err(gone) = turn.await {
                return line.end(gone).await;
            }
        }
    }

    /// Serves one message.
    async fn turn(&self, line: &mut Line, memory: &mut Memory, message: Bytes) -> Result<(), Gone> {
        let arrival = self.arrival();
        let id = arrival.id.to_string();
        let turn = match memory.turn(&message) {
            Ok(turn) => turn,
            Err(error) => return line.refuse(refusal(error, &id)).await,
        };
        if !turn.generates {
            return self.warm_up(line, memory, turn).await;
        }
        let served = self.serve(line, &turn, &arrival).await?;
        match served {
            Err(frame) => line.refuse(frame).await,
            Ok(response) => {
                let heard = line.stream(response.into_body()).await?;
                let room = self.app.settings.calls.body_bytes_max;
                memory.learn(turn, heard, room);
                Ok(())
            }
        }
    }

    /// Answers without asking anyone: it costs nothing, and the next turn goes on from it.
    async fn warm_up(&self, line: &mut Line, memory: &mut Memory, turn: Turn) -> Result<(), Gone> {
        let now = self.app.now();
        let id = format!("resp_{}", self.app.new_call_id(now));
        let model = peek::responses(&turn.body).map(|peek| peek.model).unwrap_or_default();
        for frame in warm_up_frames(&id, &model, now.as_millis() / 1_000) {
            line.send(Message::text(frame)).await?;
        }
        let room = self.app.settings.calls.body_bytes_max;
        memory.learn(turn, Heard::warm_up(&id), room);
        Ok(())
    }

    /// The answer to a turn, or the frame that refuses it. Meanwhile the other side may leave.
    async fn serve(
        &self,
        line: &mut Line,
        turn_asked: &Turn,
        arrival: &Arrival,
    ) -> Result<Result<Response<Body>, String>, Gone> {
        let serving = async {
            self.check_size(turn_asked.body.len())?;
            let received = body::hold(&self.app.bodies, turn_asked.body.clone()).await?;
            let key = self.key;
            turn(&self.app, &self.asked, (&self.head, received), arrival, key).await
        };
        let mut serving = Box::pin(serving);
        let served = loop {
            tokio::select! {
                biased;
                served = &mut serving => break served,
                heard = line.hear() => heard?,
            }
        };
        let id = arrival.id.to_string();
        Ok(match served {
            Ok(answer) if is_stream(&answer.response) => Ok(answer.response),
            Ok(answer) => Err(whole(answer.response).await),
            Err(Unserved { failure, .. }) => Err(frame(&failure, &id)),
        })
    }

    /// A turn with all that it builds on is no larger than a body may be, of anybody's and of the
    /// key's.
    fn check_size(&self, bytes: usize) -> Result<(), CallerFault> {
        let limit = self.app.settings.calls.body_bytes_max;
        if bytes > limit {
            return Err(CallerFault::TooLarge { limit });
        }
        let holder = self.app.keys.by_id(self.key).ok_or(CallerFault::UnknownKey)?;
        let own = holder.key.rules.body_bytes_max.and_then(|own| usize::try_from(own).ok());
        match own.filter(|own| bytes > *own) {
            Some(limit) => Err(CallerFault::TooLargeForKey { limit }),
            None => Ok(()),
        }
    }

    fn arrival(&self) -> Arrival {
        let at = self.app.now();
        Arrival {
            id: self.app.new_call_id(at),
            at,
            started: Instant::now(),
            address: self.address,
            client: self.client.clone(),
            family: Family::Openai,
        }
    }
}

/// A message that is no turn, as a frame.
fn refusal(error: TurnError, id: &str) -> String {
    let fault = match error {
        TurnError::NotStored(missing) => CallerFault::NotStored(missing),
        error => CallerFault::Malformed(error.to_string()),
    };
    frame(&fault.into(), id)
}

/// A failure as a frame.
fn frame(failure: &Failure, id: &str) -> String {
    let face = failure.face(Family::Openai);
    let wait = face.retry_after.map(|wait| wait.as_secs().max(1).to_string());
    let body = face.body(Family::Openai, id);
    broken::frame(face.status.as_u16(), &body, wait.as_deref())
}

/// An answer that is no stream, as a frame: an upstream's refusal.
async fn whole(response: Response<Body>) -> String {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, REFUSAL_BYTES_MAX).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let wait = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    broken::frame(head.status.as_u16(), &body, wait)
}

fn is_stream(response: &Response<Body>) -> bool {
    let kind = |headers: &HeaderMap| {
        let kind = headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
        Some(kind.starts_with("text/event-stream"))
    };
    response.status().is_success() && kind(response.headers()).unwrap_or(false)
}

impl Line {
    /// The next message that asks something.
    async fn message(&mut self) -> Result<Bytes, Gone> {
        loop {
            if let Some(message) = self.waiting.take() {
                return Ok(message);
            }
            self.hear().await?;
        }
    }

    /// Waits for anything of the other side, and asks whether it is there.
    async fn hear(&mut self) -> Result<(), Gone> {
        tokio::select! {
            _ = self.ping.tick() => {
                if self.heard.elapsed() > SILENCE_MAX {
                    return Err(Gone::Left);
                }
                self.send(Message::Ping(Bytes::new())).await
            }
            message = self.socket.next() => {
                let message = message.ok_or(Gone::Left)?.map_err(|error| unreadable(&error))?;
                self.heard = Instant::now();
                match message {
                    Message::Text(text) => self.wait_with(text.into()).await,
                    Message::Binary(bytes) => self.wait_with(bytes).await,
                    Message::Close(_) => Err(Gone::Closing),
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(()),
                }
            }
        }
    }

    /// A message that comes during a turn waits for its end; a second one is refused.
    async fn wait_with(&mut self, message: Bytes) -> Result<(), Gone> {
        if self.waiting.is_none() {
            self.waiting = Some(message);
            return Ok(());
        }
        let why = "a turn is under way on this socket, and another waits for it".to_owned();
        self.refuse(frame(&CallerFault::Malformed(why).into(), "")).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Gone> {
        let sent = timeout(SEND_WITHIN, self.socket.send(message)).await;
        sent.ok().and_then(Result::ok).ok_or(Gone::Left)
    }

    async fn refuse(&mut self, frame: String) -> Result<(), Gone> {
        self.send(Message::text(frame)).await
    }

    /// Passes a stream on, event by event. Dropping its body, as when the other side leaves, ends
    /// the call as that does.
    async fn stream(&mut self, mut body: Body) -> Result<Heard, Gone> {
        let (mut framer, mut heard) = (SseFramer::new(EVENT_BYTES_MAX), Heard::default());
        loop {
            let chunk = tokio::select! {
                biased;
                frame = body.frame() => match frame {
                    Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                    Some(Err(_)) | None => return Ok(heard),
                },
                other = self.hear() => {
                    other?;
                    continue;
                }
            };
            let Ok(batch) = framer.push(chunk) else { return Err(Gone::Left) };
            let mut said = false;
            for event in batch.events() {
                heard.observe(&event);
                said = true;
                let text = String::from_utf8_lossy(&event.data).into_owned();
                self.send(Message::text(text)).await?;
            }
            if !said && !batch.raw().is_empty() {
                // A sign of life.
                self.send(Message::Ping(Bytes::new())).await?;
            }
        }
    }

    /// Ends the connection of a side that is gone or has to go.
    async fn end(mut self, gone: Gone) {
        match gone {
            Gone::Left => {}
            Gone::Closing => {
                // What answers its word lies ready.
                let _ = timeout(SEND_WITHIN, self.socket.flush()).await;
            }
            Gone::Unreadable(code, reason) => self.close(code, reason).await,
        }
    }

    /// Says why, and lets the other side read it: bytes of its own that nobody took would reset the
    /// connection before.
    async fn close(mut self, code: CloseCode, reason: &'static str) {
        let frame = CloseFrame { code, reason: reason.into() };
        let closing = self.socket.close(Some(frame));
        if !matches!(timeout(SEND_WITHIN, closing).await, Ok(Ok(()))) {
            return;
        }
        let io = self.socket.get_mut();
        let leaving = async {
            io.shutdown().await?;
            tokio::io::copy(io, &mut tokio::io::sink()).await
        };
        let _ = timeout(LINGER, leaving).await;
    }
}

/// A fault of what the other side sent; `Left` if it is one of the connection.
fn unreadable(error: &Error) -> Gone {
    match error {
        Error::Capacity(_) => Gone::Unreadable(CloseCode::Size, "the message is too large"),
        Error::Utf8(_) => Gone::Unreadable(CloseCode::Invalid, "the message is no text"),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Gone::Left,
        Error::Protocol(_) => Gone::Unreadable(CloseCode::Protocol, "this is no WebSocket"),
        _ => Gone::Left,
    }
}
