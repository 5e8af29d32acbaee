//! The fast provider's answers, ready for the wire.

use bytes::Bytes;
use memchr::memmem;
use rustix::time::{ClockId, clock_gettime};

use crate::answer::Answer;
use crate::anthropic::events::{self, FrameKind};
use crate::anthropic::reply::{Block, Reply};
use crate::bodies::{chat_body, code_assist_body, gemini_body, responses_body};
use crate::format::Format;
use crate::http1::{LAST_CHUNK, write_chunk};
use crate::message::messages_body;
use crate::plan::Plan;

/// Characters of the unary answer, which make a body of about a kilobyte.
const UNARY_CHARS: usize = 380;
/// The text of a delta: the moment of its sending stands in place of the noughts.
const DELTA_TEXT: &str = "@00000000000000000000 ";

/// Which answers a request may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    Messages,
    Chat,
    /// Chat with usage in the last chunk of streams.
    ChatWithUsage,
    Responses,
    Gemini,
    CodeAssist,
}

impl Speech {
    /// What a request with this start line and this body is to be answered in.
    pub(super) fn of(start: &str, body: &[u8]) -> Self {
        let has = |text: &str| memmem::find(start.as_bytes(), text.as_bytes()).is_some();
        if has("/messages") {
            Self::Messages
        } else if has("/chat/completions") {
            let usage = memmem::find(body, br#""include_usage":true"#).is_some();
            if usage { Self::ChatWithUsage } else { Self::Chat }
        } else if has("/responses") {
            Self::Responses
        } else if has("/v1internal:") {
            Self::CodeAssist
        } else if has("enerateContent") {
            Self::Gemini
        } else {
            Self::Messages
        }
    }

    /// Address and body of a request that is answered so.
    fn request(self, text: &str, stream: bool) -> (&'static str, Bytes) {
        let google = if stream { "/m:streamGenerateContent?alt=sse" } else { "/m:generateContent" };
        let assist = if stream {
            "/v1internal:streamGenerateContent?alt=sse"
        } else {
            "/v1internal:generateContent"
        };
        match self {
            Self::Messages => {
                let body = messages_body("claude-sonnet-4-6", text).stream(stream);
                ("/v1/messages", body.bytes())
            }
            Self::Chat => {
                ("/v1/chat/completions", chat_body("gpt-5.4", text).stream(stream).bytes())
            }
            Self::ChatWithUsage => {
                let body = chat_body("gpt-5.4", text).stream(stream).include_usage();
                ("/v1/chat/completions", body.bytes())
            }
            Self::Responses => {
                ("/v1/responses", responses_body("gpt-5.4", text).stream(stream).bytes())
            }
            Self::Gemini => (google, gemini_body(text).set("model", "gemini-3-pro".into()).bytes()),
            Self::CodeAssist => (assist, code_assist_body("gemini-3-pro", "p", text).bytes()),
        }
    }
}

/// The answers in every speech.
#[derive(Debug)]
pub(super) struct Book([Canned; 6]);

impl Book {
    pub(super) fn new() -> Self {
        use Speech as S;
        // In the order of the variants.
        Self(
            [S::Messages, S::Chat, S::ChatWithUsage, S::Responses, S::Gemini, S::CodeAssist]
                .map(Canned::new),
        )
    }

    pub(super) fn page(&self, speech: Speech) -> &Canned {
        &self.0[speech as usize]
    }
}

/// Answers of one speech, ready for the wire.
#[derive(Debug)]
pub(super) struct Canned {
    pub(super) unary: Bytes,
    /// Head and events up to the first delta.
    pub(super) stream_start: Bytes,
    pub(super) delta: Delta,
    /// Events after the last delta, and the end of the body.
    pub(super) stream_end: Bytes,
}

/// A delta with a place for the moment at which it is sent.
#[derive(Debug, Clone)]
pub(super) struct Delta {
    wire: Vec<u8>,
    /// Where the last digit of the moment stands.
    last_digit: usize,
}

impl Canned {
    fn new(speech: Speech) -> Self {
        let ask = |text: &str, stream| {
            let (target, body) = speech.request(text, stream);
            let path = target.split('?').next().unwrap_or(target);
            let format = Format::of(path).expect("the kit's own request is known");
            format.read(target, &body).expect("the kit's own request is sound")
        };
        let plan =
            Plan::new(&Answer::well(), Some(&ask(&format!("[[long {UNARY_CHARS}]]"), false)), 1);
        let unary = [plan.head, plan.body].concat().into();

        let ask = ask("[[paced 1 0]]", true);
        let head = Plan::new(&Answer::well(), Some(&ask), 1).head;
        let mut reply = Reply::to(&ask, 1, None);
        reply.blocks = vec![Block::Text(vec![DELTA_TEXT.to_owned()])];
        let frames = Format::frames(&reply, &ask);
        let delta = frames.iter().position(|frame| frame.kind == FrameKind::Delta);
        let delta = delta.expect("the answer has a delta");
        let chunks = |range: &[events::Frame]| {
            let mut wire = Vec::new();
            for frame in range {
                write_chunk(&frame.bytes, &mut wire);
            }
            wire
        };
        Self {
            unary,
            stream_start: [head.to_vec(), chunks(&frames[..delta])].concat().into(),
            delta: Delta::new(chunks(&frames[delta..=delta])),
            stream_end: [chunks(&frames[delta + 1..]), LAST_CHUNK.to_vec()].concat().into(),
        }
    }

    /// A stream of so many deltas in one piece; none says when it was sent.
    pub(super) fn whole_stream(&self, deltas: usize) -> Vec<u8> {
        [&self.stream_start[..], &self.delta.wire.repeat(deltas), &self.stream_end].concat()
    }
}

impl Delta {
    fn new(wire: Vec<u8>) -> Self {
        let text = memmem::find(&wire, DELTA_TEXT.as_bytes()).expect("the delta has its text");
        let last_digit = text + DELTA_TEXT.trim_end().len() - 1;
        Self { wire, last_digit }
    }

    /// The delta, saying that it is sent now: nanoseconds of the machine's monotonic clock.
    pub(super) fn sent_now(&mut self) -> &[u8] {
        let now = clock_gettime(ClockId::Monotonic);
        let mut nanos = now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs();
        let mut at = self.last_digit;
        while self.wire[at].is_ascii_digit() {
            self.wire[at] = b'0' + u8::try_from(nanos % 10).unwrap_or(0);
            nanos /= 10;
            at -= 1;
        }
        &self.wire
    }
}
