//! Follows an answer of any protocol beside its bytes.

use relay_core::endpoint::Endpoint;
use relay_core::protocol::Protocol;

pub use crate::anthropic::meter::{Metered, Phase};
use crate::sse::Event;
use crate::{anthropic, chat, gemini, responses};

/// Meters one stream, in the protocol that its upstream speaks.
#[derive(Debug, Clone)]
pub enum Meter {
    /// Anthropic Messages.
    Messages(anthropic::meter::Meter),
    /// OpenAI Chat, and the older Completions.
    Chat(chat::meter::Meter),
    /// OpenAI Responses.
    Responses(responses::meter::Meter),
    /// Google's form, bare or in an envelope.
    Gemini(gemini::meter::Meter),
}

/// Does the same with the meter of either protocol.
macro_rules! each {
    ($meter:expr, $it:ident => $do:expr) => {
        match $meter {
            Meter::Messages($it) => $do,
            Meter::Chat($it) => $do,
            Meter::Responses($it) => $do,
            Meter::Gemini($it) => $do,
        }
    };
}

impl Meter {
    /// A meter for an answer that has not begun.
    pub fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Messages => Self::Messages(anthropic::meter::Meter::default()),
            Protocol::Chat => Self::Chat(chat::meter::Meter::default()),
            Protocol::Responses => Self::Responses(responses::meter::Meter::default()),
            Protocol::Gemini => Self::Gemini(gemini::meter::Meter::default()),
        }
    }

    /// Takes note of the next event and tells what it is.
    pub fn observe(&mut self, event: &Event<'_>) -> Phase {
        each!(self, meter => meter.observe(event))
    }

    /// What the stream used, as far as it has come.
    pub fn metered(&self) -> Metered {
        each!(self, meter => meter.metered())
    }

    /// The input that was stated, caches included, and the output so far: cheap enough to be asked
    /// for again and again.
    pub fn so_far(&self) -> (u64, u64) {
        each!(self, meter => meter.so_far())
    }

    /// Whether the answer has begun.
    pub fn saw_start(&self) -> bool {
        each!(self, meter => meter.saw_start())
    }

    /// Whether an input that is not zero was stated. If not, the caller's own estimate stands.
    pub fn input_known(&self) -> bool {
        each!(self, meter => meter.input_known())
    }

    /// Whether any part of the answer was seen: from then on the call stays where it is.
    pub fn content_seen(&self) -> bool {
        each!(self, meter => meter.content_seen())
    }

    /// Whether the answer is whole if its stream closes now: where the protocol has no event of its
    /// own for the end, or hosts leave it out, having said why it ends is enough.
    pub fn may_close(&self) -> bool {
        match self {
            Self::Chat(meter) => meter.saw_reason(),
            Self::Gemini(meter) => meter.saw_reason(),
            Self::Messages(_) | Self::Responses(_) => false,
        }
    }
}

/// Meters a whole answer to what was asked of an upstream. `None` if it states no usage.
pub fn unary(asked: Endpoint, body: &[u8]) -> Option<Metered> {
    match asked {
        // Pictures state their usage in the words of Responses.
        Endpoint::Images => responses::meter::unary(body),
        asked => match asked.protocol() {
            Protocol::Messages => anthropic::meter::unary(body),
            Protocol::Chat => chat::meter::unary(body),
            Protocol::Responses => responses::meter::unary(body),
            Protocol::Gemini => gemini::meter::unary(body),
        },
    }
}
