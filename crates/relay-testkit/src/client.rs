//! A client whose every move on the wire is the test's own: one connection for each call.

mod websocket;

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use relay_core::usage::TokenUsage;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::tcp::OwnedWriteHalf;

pub use websocket::{Heard, WebSocket};

use crate::http1::{BodyEnd, Inbound, write_header};
use crate::sse::{SseEvent, answer_text, parse_sse, stated_usage};

/// How long one read may take before it fails the test.
const READ_MAX: Duration = Duration::from_mins(1);

/// Headers of a request, by name and value.
pub type Headers<'a> = &'a [(&'a str, &'a str)];

/// A client of one server.
#[derive(Debug, Clone)]
pub struct Client {
    address: String,
    prefix: String,
    headers: Vec<(String, String)>,
}

/// A whole answer, or as much of it as came.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, without chunked framing.
    pub body: Bytes,
    /// How it ended.
    pub ending: Ending,
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As its framing says.
    Whole,
    /// The connection was closed before.
    Cut,
    /// The connection was reset before.
    Reset,
    /// What came breaks the framing's own rules.
    Malformed,
}

impl Client {
    /// A client of `http://HOST:PORT[/PREFIX]`.
    ///
    /// # Panics
    /// If `base_url` is not plain HTTP.
    pub fn new(base_url: &str) -> Self {
        let rest = base_url.strip_prefix("http://").expect("a base URL begins with http://");
        let (address, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        Self { address: address.to_owned(), prefix, headers: Vec::new() }
    }

    /// Sends this header with every request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends what an Anthropic client does, with `key` in `x-api-key`.
    #[must_use]
    pub fn anthropic(self, key: &str) -> Self {
        self.header("x-api-key", key)
            .header("anthropic-version", "2023-06-01")
            .header("content-type", "application/json")
    }

    /// Sends what a client of OpenAI does, with `key` as a bearer.
    #[must_use]
    pub fn openai(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
            .header("content-type", "application/json")
    }

    /// Sends what a client of Google does, with `key` in `x-goog-api-key`.
    #[must_use]
    pub fn google(self, key: &str) -> Self {
        self.header("x-goog-api-key", key).header("content-type", "application/json")
    }

    /// A whole POST.
    pub async fn post(&self, path: &str, headers: Headers<'_>, body: impl Into<Bytes>) -> Received {
        self.stream(path, headers, body).await.collect().await
    }

    /// A whole GET.
    pub async fn get(&self, path: &str, headers: Headers<'_>) -> Received {
        self.request("GET", path, headers, Bytes::new()).await.collect().await
    }

    /// A HEAD; its answer has no body, whatever its headers say.
    pub async fn head(&self, path: &str, headers: Headers<'_>) -> Received {
        self.request("HEAD", path, headers, Bytes::new()).await.collect().await
    }

    /// A POST whose answer is read piece by piece.
    pub async fn stream(
        &self,
        path: &str,
        headers: Headers<'_>,
        body: impl Into<Bytes>,
    ) -> Incoming {
        self.request("POST", path, headers, body).await
    }

    /// Any request; returns when the head of its answer is there.
    ///
    /// # Panics
    /// If there is no answer; [`Self::try_request`] leaves that to the caller.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        headers: Headers<'_>,
        body: impl Into<Bytes>,
    ) -> Incoming {
        self.try_request(method, path, headers, body)
            .await
            .unwrap_or_else(|error| panic!("no answer to {method} {path}: {error}"))
    }

    /// Any request, whose answer may not come.
    pub async fn try_request(
        &self,
        method: &str,
        path: &str,
        headers: Headers<'_>,
        body: impl Into<Bytes>,
    ) -> io::Result<Incoming> {
        let body = body.into();
        let mut socket = self.connect().await?;
        let mut message = self.head_of(method, path, headers);
        if !body.is_empty() || method == "POST" {
            write_header(&mut message, "content-length", &body.len().to_string());
        }
        message.push_str("\r\n");
        socket.send(message.as_bytes()).await?;
        socket.send(&body).await?;
        let mut incoming = socket.answer().await?;
        if method == "HEAD" {
            incoming.end = BodyEnd::Reached;
        }
        Ok(incoming)
    }

    /// A connection on which nothing is sent yet.
    pub async fn connect(&self) -> io::Result<RawSocket> {
        let socket = TcpStream::connect(&self.address).await?;
        socket.set_nodelay(true)?;
        let (reader, writer) = socket.into_split();
        Ok(RawSocket { inbound: Inbound::new(reader), writer })
    }

    /// The head of a request as this client would write it, without framing and empty line: for
    /// uploads in chunks, upgrades and the like over [`Self::connect`].
    pub fn head_of(&self, method: &str, path: &str, headers: Headers<'_>) -> String {
        let mut head =
            format!("{method} {}{path} HTTP/1.1\r\nhost: {}\r\n", self.prefix, self.address);
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let kept = own.filter(|(name, _)| !headers.iter().any(|(other, _)| other == name));
        for (name, value) in kept.chain(headers.iter().copied()) {
            write_header(&mut head, name, value);
        }
        head
    }
}

/// A connection for requests of any shape.
#[derive(Debug)]
pub struct RawSocket {
    inbound: Inbound<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl RawSocket {
    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes).await
    }

    /// Sends bytes in pieces of this size, with a pause before each.
    pub async fn send_slowly(
        &mut self,
        bytes: &[u8],
        size: usize,
        pause: Duration,
    ) -> io::Result<()> {
        for piece in bytes.chunks(size.max(1)) {
            tokio::time::sleep(pause).await;
            self.send(piece).await?;
        }
        Ok(())
    }

    /// Sends bytes as one chunk of a chunked body; empty ones end it.
    pub async fn send_chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut framed = Vec::new();
        crate::http1::write_chunk(bytes, &mut framed);
        self.send(&framed).await
    }

    /// Reads the head of the next answer; 100 Continue and its like are passed over.
    pub async fn answer(mut self) -> io::Result<Incoming> {
        loop {
            let head = within(self.inbound.head()).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let status = head.start.split(' ').nth(1).and_then(|status| status.parse().ok());
            let status: u16 = status.ok_or(io::ErrorKind::InvalidData)?;
            let end = match status {
                101 => BodyEnd::Close,
                100..200 => continue,
                204 | 304 => BodyEnd::Reached,
                _ => BodyEnd::of_response(&head.headers)?,
            };
            return Ok(Incoming { status, headers: head.headers, socket: self, end });
        }
    }

    /// Some bytes as they come; empty when the peer has closed.
    pub async fn receive(&mut self) -> io::Result<Bytes> {
        within(self.inbound.some()).await
    }

    /// Everything that comes until the peer closes.
    pub async fn receive_rest(&mut self) -> io::Result<Bytes> {
        within(self.inbound.rest()).await
    }

    /// Closes the connection in good order.
    pub fn leave(self) {}

    /// Resets the connection.
    pub fn reset(self) -> io::Result<()> {
        let set = self.writer.as_ref().set_zero_linger();
        // Dropped, the half would send a FIN first.
        self.writer.forget();
        set
    }
}

/// An answer that is coming in.
#[derive(Debug)]
pub struct Incoming {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    socket: RawSocket,
    end: BodyEnd,
}

impl Incoming {
    /// The next piece of the body, as it arrived; `Err` when it breaks off, `Ok(None)` at its end.
    pub async fn chunk(&mut self) -> io::Result<Option<Bytes>> {
        within(self.socket.inbound.piece(&mut self.end)).await
    }

    /// Reads until the body so far holds `text`, and returns it.
    pub async fn until(&mut self, text: &str) -> io::Result<Bytes> {
        let mut body = BytesMut::new();
        while memchr::memmem::find(&body, text.as_bytes()).is_none() {
            body.extend_from_slice(&self.chunk().await?.ok_or(io::ErrorKind::UnexpectedEof)?);
        }
        Ok(body.freeze())
    }

    /// Reads the rest.
    pub async fn collect(mut self) -> Received {
        let mut body = BytesMut::new();
        let ending = loop {
            match self.chunk().await {
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => break Ending::Whole,
                Err(error) => break Ending::of(&error),
            }
        };
        Received { status: self.status, headers: self.headers, body: body.freeze(), ending }
    }

    /// Closes the connection in the middle of the answer.
    pub fn leave(self) {}

    /// Resets the connection in the middle of the answer.
    pub fn reset(self) -> io::Result<()> {
        self.socket.reset()
    }

    /// The connection itself, as after `101 Switching Protocols`.
    pub fn into_socket(self) -> RawSocket {
        self.socket
    }
}

impl Ending {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset => Self::Reset,
            io::ErrorKind::UnexpectedEof => Self::Cut,
            io::ErrorKind::TimedOut => panic!("nothing came for {READ_MAX:?}"),
            _ => Self::Malformed,
        }
    }
}

impl Received {
    /// A header as text; empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The events of a stream.
    pub fn events(&self) -> Vec<SseEvent> {
        parse_sse(&self.body)
    }

    /// The text of an answer in any of the four protocols, streamed or not.
    pub fn text(&self) -> String {
        answer_text(&self.body)
    }

    /// The usage that an answer in any of the four protocols states, streamed or not.
    pub fn usage(&self) -> TokenUsage {
        stated_usage(&self.body)
    }
}

async fn within<T>(reading: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    tokio::time::timeout(READ_MAX, reading).await.map_err(late)?
}
