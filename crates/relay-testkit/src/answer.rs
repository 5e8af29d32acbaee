//! A scripted answer of the fake provider: what it says, how it is broken, how its bytes come.

mod limits;
mod native;

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::anthropic;
use crate::format::StreamError;

/// A point within an answer, counted from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the first byte of the head.
    Head,
    /// After so many events; 0 is after the head.
    Events(usize),
    /// After so many events with content (`content_block_delta` and its like).
    Deltas(usize),
    /// After so many bytes of the body, as they are on the wire before chunked framing.
    Bytes(usize),
}

/// How an answer breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is reset (RST).
    Reset,
    /// The connection is closed in good order (FIN), without the end that the framing demands.
    Cut,
    /// Nothing more comes, and the connection stays open until the peer leaves.
    Hang,
}

/// How the body is cut into writes; with chunked framing each is a chunk of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunking {
    /// All at once.
    Whole,
    /// Each event apart; a body that is no stream at once.
    PerEvent,
    /// Each byte apart.
    EveryByte,
    /// By these sizes, over and over.
    Sizes(Vec<usize>),
}

/// How the end of the body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// By a chunk of no bytes.
    Chunked,
    /// By `content-length`.
    ContentLength,
    /// By closing the connection, as HTTP/1.0 did.
    UntilClose,
}

/// How the lines of a stream end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// `\n`, as the provider does it.
    Lf,
    /// `\r\n`.
    CrLf,
    /// `\r`.
    Cr,
}

/// How one event of a stream is spoiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Garble {
    /// Its data is cut in the middle of the JSON.
    Json,
    /// It is replaced by lines that are no fields, with bytes that are not UTF-8.
    Framing,
}

/// An answer to one request. Build it from a constructor and as many changes as needed.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) content: Content,
    pub(crate) quirks: Quirks,
    pub(crate) manner: Manner,
    /// `retry-after` counts down to this, in seconds since the Unix epoch.
    pub(crate) retry_at: Option<i64>,
}

/// What is said.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// What a healthy provider would answer to this request.
    Well,
    /// The error of the status in the shape of whoever was asked.
    Native { message: String, evidence: Option<u64> },
    /// These bytes, as the body of a unary answer.
    Fixed(Bytes),
    /// These bytes, each a frame of a stream.
    Stream(Vec<Bytes>),
    /// These bytes on the socket, head included.
    Socket(Bytes),
}

/// What is unusual within the body.
#[derive(Debug, Clone)]
pub(crate) struct Quirks {
    pub(crate) line_end: LineEnd,
    pub(crate) bom: bool,
    pub(crate) strangers: bool,
    pub(crate) gzip: bool,
    pub(crate) huge_event: Option<usize>,
    pub(crate) garbled: Option<(usize, Garble)>,
    pub(crate) error_event: Option<(Moment, StreamError)>,
}

/// How the bytes come.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    pub(crate) delay: Duration,
    pub(crate) head_pause: Duration,
    pub(crate) pace: Duration,
    pub(crate) chunking: Chunking,
    pub(crate) framing: Option<Framing>,
    pub(crate) stated_length: Option<u64>,
    pub(crate) closes: bool,
    pub(crate) fault: Option<(Fault, Moment)>,
}

impl Answer {
    /// The answer of a healthy provider, streamed if the request asks for a stream.
    pub fn well() -> Self {
        Self::of(200, Content::Well)
    }

    /// A unary answer with this status and an empty body.
    pub fn status(status: u16) -> Self {
        Self::of(status, Content::Fixed(Bytes::new()))
    }

    /// An error in Anthropic's shape, such as `(529, "overloaded_error", "Overloaded")`.
    pub fn anthropic_error(status: u16, kind: &str, message: &str) -> Self {
        Self::status(status).json(&anthropic::error_body(kind, message))
    }

    /// A 200 event stream of exactly these bytes; each element counts as an event.
    pub fn raw_stream(chunks: impl IntoIterator<Item = impl Into<Bytes>>) -> Self {
        Self::of(200, Content::Stream(chunks.into_iter().map(Into::into).collect()))
    }

    /// Exactly these bytes instead of an HTTP response; the connection is closed after them.
    pub fn raw_socket(bytes: impl Into<Bytes>) -> Self {
        Self::of(200, Content::Socket(bytes.into()))
    }

    fn of(status: u16, content: Content) -> Self {
        let quirks = Quirks {
            line_end: LineEnd::Lf,
            bom: false,
            strangers: false,
            gzip: false,
            huge_event: None,
            garbled: None,
            error_event: None,
        };
        let manner = Manner {
            delay: Duration::ZERO,
            head_pause: Duration::ZERO,
            pace: Duration::ZERO,
            chunking: Chunking::PerEvent,
            framing: None,
            stated_length: None,
            closes: false,
            fault: None,
        };
        Self { status, headers: Vec::new(), content, quirks, manner, retry_at: None }
    }

    /// Adds a header; one of a name that the answer would have anyway replaces it.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds the headers that the real provider and its network send beside the needed ones:
    /// cookies, ids of organisation and network, and how much of the account's limits is left.
    #[must_use]
    pub fn provider_headers(self) -> Self {
        [
            ("set-cookie", "_cfuvid=fake; path=/; HttpOnly"),
            ("cf-ray", "fake-ray-FRA"),
            ("cf-cache-status", "DYNAMIC"),
            ("anthropic-organization-id", "fake-organisation"),
            ("anthropic-ratelimit-requests-limit", "4000"),
            ("anthropic-ratelimit-requests-remaining", "3999"),
            ("anthropic-ratelimit-unified-status", "allowed"),
            ("anthropic-ratelimit-unified-5h-utilization", "0.25"),
            ("x-envoy-upstream-service-time", "12"),
            ("x-future-header", "unknown to the relay"),
        ]
        .into_iter()
        .fold(self, |answer, (name, value)| answer.header(name, value))
    }

    /// Sets the body of a unary answer.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.content = Content::Fixed(body.into());
        self
    }

    /// Sets the body of a unary answer to JSON.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// Waits before the head.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.manner.delay = delay;
        self
    }

    /// Writes the head line by line, with this pause before each.
    #[must_use]
    pub fn slow_head(mut self, pause: Duration) -> Self {
        self.manner.head_pause = pause;
        self
    }

    /// Pauses before each write of the body (with [`Chunking::PerEvent`], before each event).
    #[must_use]
    pub fn paced(mut self, interval: Duration) -> Self {
        self.manner.pace = interval;
        self
    }

    /// Cuts the body into writes.
    #[must_use]
    pub fn chunking(mut self, chunking: Chunking) -> Self {
        self.manner.chunking = chunking;
        self
    }

    /// Tells the body's end otherwise than usual (streams: chunked, others: content-length).
    #[must_use]
    pub fn framing(mut self, framing: Framing) -> Self {
        self.manner.framing = Some(framing);
        self
    }

    /// States this `content-length`, true or not, and closes the connection after the body.
    #[must_use]
    pub fn content_length(mut self, stated: u64) -> Self {
        self.manner.framing = Some(Framing::ContentLength);
        self.manner.stated_length = Some(stated);
        self.closes()
    }

    /// Says `connection: close`, and closes after the answer.
    #[must_use]
    pub fn closes(mut self) -> Self {
        self.manner.closes = true;
        self
    }

    /// Breaks off. A moment past the end comes after the last byte, before the framing's end.
    #[must_use]
    pub fn breaks(mut self, fault: Fault, at: Moment) -> Self {
        self.manner.fault = Some((fault, at));
        self
    }

    /// Ends the stream with an error event, in place of what would come after that moment. It is
    /// written as the protocol that was asked for writes errors into its streams.
    #[must_use]
    pub fn error_event(mut self, after: Moment, kind: &str, message: &str) -> Self {
        let (kind, message) = (kind.to_owned(), message.to_owned());
        self.quirks.error_event = Some((after, StreamError::Stated { kind, message }));
        self
    }

    /// Spoils the event with this number, from 0.
    #[must_use]
    pub fn garbles(mut self, event: usize, how: Garble) -> Self {
        self.quirks.garbled = Some((event, how));
        self
    }

    /// Adds to the text one delta of this many bytes.
    #[must_use]
    pub fn huge_event(mut self, bytes: usize) -> Self {
        self.quirks.huge_event = Some(bytes);
        self
    }

    /// Ends lines of the stream differently.
    #[must_use]
    pub fn line_end(mut self, line_end: LineEnd) -> Self {
        self.quirks.line_end = line_end;
        self
    }

    /// Begins the stream with a byte order mark.
    #[must_use]
    pub fn bom(mut self) -> Self {
        self.quirks.bom = true;
        self
    }

    /// Puts a comment and an event of an unknown kind after every event but the last.
    #[must_use]
    pub fn strangers(mut self) -> Self {
        self.quirks.strangers = true;
        self
    }

    /// Compresses the body with gzip, asked for or not; a stream is flushed after each event.
    #[must_use]
    pub fn gzip(mut self) -> Self {
        self.quirks.gzip = true;
        self
    }
}
