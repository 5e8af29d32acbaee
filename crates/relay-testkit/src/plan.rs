//! An answer worked out to the byte: what goes on the wire, in which writes, and where it breaks.

use std::io::Write;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use relay_core::usage::TokenUsage;

use crate::answer::{Answer, Chunking, Content, Fault, Framing, Garble, LineEnd, Moment, Quirks};
use crate::anthropic::ask::Ask;
use crate::anthropic::events::{Frame, FrameKind};
use crate::anthropic::reply::Reply;
use crate::format::Format;
use crate::http1::write_header;

/// What one request is answered with.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) status: u16,
    /// The head, ready for the wire; empty if the answer brings its own.
    pub(crate) head: Bytes,
    /// The body before chunked framing, up to where the answer breaks off.
    pub(crate) body: Bytes,
    /// Ends of the writes within the body.
    pub(crate) writes: Vec<usize>,
    /// Ends of the events within the body.
    pub(crate) events: Vec<usize>,
    pub(crate) chunked: bool,
    pub(crate) closes: bool,
    pub(crate) fault: Option<(Fault, Moment)>,
    pub(crate) delay: Duration,
    pub(crate) head_pause: Duration,
    pub(crate) pace: Duration,
    /// What the answer states when it is delivered to its end.
    pub(crate) usage: TokenUsage,
    /// What of the output was thinking.
    pub(crate) reasoning: u64,
    /// Whether the body, if all of it arrives, is a whole answer.
    pub(crate) ends_well: bool,
}

impl Plan {
    /// Works out `answer` to the request; `ask` is what could be read of it.
    pub(crate) fn new(answer: &Answer, ask: Option<&Ask>, serial: u64) -> Self {
        let reply = ask.map(|ask| Reply::to(ask, serial, answer.quirks.huge_event));
        let replied = reply.as_ref().zip(ask);
        let Said { usage, reasoning, mut frames, stream } = content(answer, replied);
        if stream {
            let error = error_frame(&frames, &answer.quirks, replied);
            apply_quirks(&mut frames, &answer.quirks, error);
        }
        let ends_well = !stream || frames.iter().any(|frame| frame.kind == FrameKind::Terminal);
        if answer.quirks.gzip {
            compress(&mut frames);
        }
        let fault = answer.manner.fault;
        let (mut body, ends) = join(&frames);
        let full_length = body.len();
        if let Some((_, moment)) = fault {
            body.truncate(offset(&frames, moment));
        }
        let of_events = frames.iter().zip(&ends).filter(|(frame, _)| frame.is_event());
        let own_head = matches!(answer.content, Content::Socket(_));
        let usual = if stream { Framing::Chunked } else { Framing::ContentLength };
        let framing = answer.manner.framing.unwrap_or(usual);
        let head = Head { answer, stream, framing, length: full_length, serial };
        Self {
            status: answer.status,
            head: if own_head { Bytes::new() } else { head.render() },
            writes: writes(&answer.manner.chunking, &ends, body.len()),
            events: of_events.map(|(_, end)| *end).take_while(|end| *end <= body.len()).collect(),
            body,
            chunked: framing == Framing::Chunked && !own_head,
            closes: answer.manner.closes || own_head || framing == Framing::UntilClose,
            fault,
            delay: answer.manner.delay,
            head_pause: answer.manner.head_pause,
            pace: answer.manner.pace,
            usage,
            reasoning,
            ends_well,
        }
    }

    /// Leaves only the head, as for a HEAD request.
    pub(crate) fn drop_body(&mut self) {
        self.body = Bytes::new();
        self.writes.clear();
        self.events.clear();
        self.chunked = false;
    }
}

/// What is said.
struct Said {
    usage: TokenUsage,
    reasoning: u64,
    frames: Vec<Frame>,
    /// Whether it is a stream, and not the body of a unary answer.
    stream: bool,
}

fn content(answer: &Answer, replied: Option<(&Reply, &Ask)>) -> Said {
    let unary = |bytes: &Bytes| vec![Frame { bytes: bytes.clone(), kind: FrameKind::Comment }];
    let stated = |bytes: &[u8], frames, stream| {
        let usage = crate::sse::stated_usage(bytes);
        Said { usage, reasoning: crate::sse::stated_reasoning(bytes), frames, stream }
    };
    match (&answer.content, replied) {
        (Content::Well, Some((reply, ask))) => {
            let frames = if ask.stream {
                Format::frames(reply, ask)
            } else {
                unary(&Format::body(reply, ask).to_string().into())
            };
            let (usage, reasoning) = (reply.usage, reply.reasoning);
            Said { usage, reasoning, frames, stream: ask.stream }
        }
        (Content::Well | Content::Native { .. }, _) => stated(b"", unary(&Bytes::new()), false),
        (Content::Fixed(bytes) | Content::Socket(bytes), _) => stated(bytes, unary(bytes), false),
        (Content::Stream(chunks), _) => {
            stated(&chunks.concat(), chunks.iter().map(raw_frame).collect(), true)
        }
    }
}

/// What a raw frame that ends an answer holds.
const TERMINALS: [&str; 5] = [
    "event: message_stop",
    "data: [DONE]",
    "event: response.completed",
    "event: response.incomplete",
    "\"finishReason\":",
];
/// What a raw frame with content holds.
const DELTAS: [&str; 5] = [
    "event: content_block_delta",
    "event: response.output_text.delta",
    "\"delta\":{\"content\":",
    "\"delta\":{\"tool_calls\":",
    "\"candidates\":",
];

fn raw_frame(bytes: &Bytes) -> Frame {
    let has = |text: &str| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    let any = |texts: &[&str]| texts.iter().any(|text| has(text));
    let kind = if any(&TERMINALS) {
        FrameKind::Terminal
    } else if any(&DELTAS) {
        FrameKind::Delta
    } else {
        FrameKind::Event
    };
    Frame { bytes: bytes.clone(), kind }
}

/// The error that the stream is to end with, and how many frames come before it.
fn error_frame(
    frames: &[Frame],
    quirks: &Quirks,
    replied: Option<(&Reply, &Ask)>,
) -> Option<(usize, Frame)> {
    let (moment, error) = quirks.error_event.as_ref()?;
    let kept = frames_before(frames, *moment);
    let nothing = Ask::default();
    let bare = Reply::to(&nothing, 0, None);
    let replied = replied.unwrap_or((&bare, &nothing));
    Some((kept, error.frame(replied, kept)))
}

fn apply_quirks(frames: &mut Vec<Frame>, quirks: &Quirks, error: Option<(usize, Frame)>) {
    if let Some((event, how)) = quirks.garbled {
        garble(frames, event, how);
    }
    if let Some((kept, error)) = error {
        frames.truncate(kept);
        frames.push(error);
    }
    if quirks.strangers {
        let last = frames.len().saturating_sub(1);
        *frames = std::mem::take(frames)
            .into_iter()
            .enumerate()
            .flat_map(|(index, frame)| {
                std::iter::once(frame).chain(if index < last { strangers() } else { Vec::new() })
            })
            .collect();
    }
    if quirks.line_end != LineEnd::Lf {
        for frame in frames.iter_mut() {
            end_lines(frame, quirks.line_end);
        }
    }
    if let (true, Some(first)) = (quirks.bom, frames.first_mut()) {
        first.bytes = [b"\xEF\xBB\xBF", &first.bytes[..]].concat().into();
    }
}

fn strangers() -> Vec<Frame> {
    let unknown = serde_json::json!({"type": "event_from_the_future", "note": "keep me, 请保留"});
    vec![
        Frame { bytes: ": a comment, 注释\n\n".into(), kind: FrameKind::Comment },
        Frame::event(FrameKind::Event, &unknown),
    ]
}

fn garble(frames: &mut [Frame], event: usize, how: Garble) {
    let Some(frame) = frames.iter_mut().filter(|frame| frame.is_event()).nth(event) else { return };
    frame.bytes = match how {
        Garble::Json => [&frame.bytes[..frame.bytes.len() / 2], b"\n\n"].concat().into(),
        Garble::Framing => Bytes::from_static(b"no field here\n\xFF\xFE: \x00\nevent\ndata\n\n"),
    };
}

/// JSON holds no raw line feeds, so every one in a frame ends a line.
fn end_lines(frame: &mut Frame, line_end: LineEnd) {
    let ending: &[u8] = if line_end == LineEnd::Cr { b"\r" } else { b"\r\n" };
    frame.bytes = frame.bytes.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(ending).into();
}

/// Compresses frame by frame, so that a reader can have each as soon as it comes.
fn compress(frames: &mut [Frame]) {
    const WHY: &str = "writing to memory does not fail";
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let last = frames.len().saturating_sub(1);
    for (index, frame) in frames.iter_mut().enumerate() {
        encoder.write_all(&frame.bytes).expect(WHY);
        let written = if index == last { encoder.try_finish() } else { encoder.flush() };
        written.expect(WHY);
        frame.bytes = std::mem::take(encoder.get_mut()).into();
    }
}

/// How many frames come before `moment`, which does not lie within one.
fn frames_before(frames: &[Frame], moment: Moment) -> usize {
    let nth = |wanted: usize, counts: &dyn Fn(&Frame) -> bool| match wanted {
        0 => 0,
        _ => frames
            .iter()
            .enumerate()
            .filter(|(_, frame)| counts(frame))
            .nth(wanted - 1)
            .map_or(frames.len(), |(index, _)| index + 1),
    };
    match moment {
        Moment::Head | Moment::Bytes(_) => 0,
        Moment::Events(count) => nth(count, &Frame::is_event),
        Moment::Deltas(count) => nth(count, &|frame| frame.kind == FrameKind::Delta),
    }
}

fn offset(frames: &[Frame], moment: Moment) -> usize {
    match moment {
        Moment::Bytes(bytes) => bytes,
        _ => frames[..frames_before(frames, moment)].iter().map(|frame| frame.bytes.len()).sum(),
    }
}

/// The body, and where each frame ends in it.
fn join(frames: &[Frame]) -> (Bytes, Vec<usize>) {
    let mut body = BytesMut::new();
    let end = |frame: &Frame| {
        body.extend_from_slice(&frame.bytes);
        body.len()
    };
    let ends = frames.iter().map(end).collect();
    (body.freeze(), ends)
}

fn writes(chunking: &Chunking, frame_ends: &[usize], length: usize) -> Vec<usize> {
    let mut ends: Vec<usize> = match chunking {
        Chunking::Whole => Vec::new(),
        Chunking::PerEvent => frame_ends.iter().copied().filter(|end| *end < length).collect(),
        Chunking::EveryByte => (1..length).collect(),
        Chunking::Sizes(sizes) => ends_by_sizes(sizes, length),
    };
    if length > 0 {
        ends.push(length);
    }
    ends.dedup();
    ends
}

fn ends_by_sizes(sizes: &[usize], length: usize) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut end = 0;
    for size in sizes.iter().cycle() {
        end += size.max(&1);
        if end >= length {
            break;
        }
        ends.push(end);
    }
    ends
}

/// What the head of an answer is made from.
struct Head<'a> {
    answer: &'a Answer,
    stream: bool,
    framing: Framing,
    length: usize,
    serial: u64,
}

impl Head<'_> {
    fn render(&self) -> Bytes {
        let answer = self.answer;
        let reason = http::StatusCode::from_u16(answer.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Fake");
        let mut head = format!("HTTP/1.1 {} {reason}\r\n", answer.status);
        let mut add = |name: &str, value: &str| {
            let replaced = |(own, _): &(String, String)| own.eq_ignore_ascii_case(name);
            if !answer.headers.iter().any(replaced) {
                write_header(&mut head, name, value);
            }
        };
        add(
            "content-type",
            if self.stream { "text/event-stream; charset=utf-8" } else { "application/json" },
        );
        add("request-id", &format!("req_fake_{:08}", self.serial));
        if self.stream {
            add("cache-control", "no-cache");
        }
        if answer.quirks.gzip {
            add("content-encoding", "gzip");
        }
        let length = answer.manner.stated_length.unwrap_or(self.length as u64).to_string();
        match self.framing {
            Framing::Chunked => add("transfer-encoding", "chunked"),
            Framing::ContentLength => add("content-length", &length),
            Framing::UntilClose => {}
        }
        if answer.manner.closes || self.framing == Framing::UntilClose {
            add("connection", "close");
        }
        for (name, value) in &answer.headers {
            write_header(&mut head, name, value);
        }
        head.push_str("\r\n");
        head.into()
    }
}
