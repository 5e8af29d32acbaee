//! An answer on its way from what the account speaks to what the client does.

use bytes::Bytes;
use relay_core::protocol::Protocol;
use relay_wire::anthropic::error::ErrorBody;
use relay_wire::broken;
use relay_wire::chat::stream_usage::without_usage;
use relay_wire::gemini::envelope;
use relay_wire::responses::answer::Whole;
use relay_wire::sse::Batch;
use relay_wire::translate::{Back, Collector, Translator};

/// How the answers of an account get back.
#[derive(Debug)]
pub(super) enum WayBack {
    /// As they are.
    Same,
    /// Streams without the usage that the client did not ask for.
    WithoutUsage,
    /// The stream of one that only streams, as the whole answer that it comes to.
    Collected,
    /// Out of the envelope of Code Assist.
    Unwrapped,
    /// Into it.
    Wrapped,
    /// In another protocol.
    Translated(Box<Back>),
}

/// An answer that cannot be told in the client's protocol.
#[derive(Debug)]
pub(super) struct Untold;

impl WayBack {
    /// Whether refusals are told anew: the client does not read the account's.
    pub(super) const fn tells_anew(&self) -> bool {
        matches!(self, Self::Translated(_))
    }

    /// Brings back a stream.
    pub(super) fn stream(&self) -> Descent {
        match self {
            Self::Same | Self::Collected => Descent::Same,
            Self::WithoutUsage => Descent::WithoutUsage,
            Self::Unwrapped => Descent::Unwrapped,
            Self::Wrapped => Descent::Wrapped,
            Self::Translated(back) => Descent::Translated(Box::new(back.stream())),
        }
    }

    /// A whole answer, for a client that asked for it so.
    pub(super) fn whole(&self, body: Bytes, only_counts: bool) -> Result<Bytes, Untold> {
        match self {
            Self::Same | Self::WithoutUsage | Self::Collected => Ok(body),
            Self::Unwrapped => Ok(body.slice_ref(envelope::answer_of(&body))),
            Self::Wrapped => Ok(envelope::wrapped_answer(&body).into()),
            Self::Translated(back) if only_counts => {
                back.count(&body).map(Bytes::from).ok_or(Untold)
            }
            Self::Translated(back) => back.whole(&body).map(Bytes::from).map_err(|_| Untold),
        }
    }

    /// A whole answer, for a client that asked for a stream; `None` where it is told as it is.
    pub(super) fn whole_as_stream(&self, body: &[u8]) -> Option<Result<Bytes, Untold>> {
        match self {
            Self::Translated(back) => Some(back.whole_as_stream(body).map_err(|_| Untold)),
            _ => None,
        }
    }

    /// Puts a stream together, for a client that asked for a whole answer.
    pub(super) fn collector(&self) -> Gathering {
        match self {
            Self::Translated(back) => Gathering::Translated(Box::new(back.collector())),
            _ => Gathering::Responses(Whole::default()),
        }
    }
}

/// A stream that is put together.
pub(super) enum Gathering {
    /// Of Responses, for a client of Responses.
    Responses(Whole),
    /// For a client of another protocol.
    Translated(Box<Collector>),
}

impl Gathering {
    /// Takes the next events.
    pub(super) fn push(&mut self, batch: &Batch) {
        match self {
            Self::Responses(whole) => whole.push(batch),
            Self::Translated(collector) => collector.push(batch),
        }
    }

    /// The whole answer.
    pub(super) fn finish(self) -> Result<Bytes, Untold> {
        match self {
            Self::Responses(whole) => whole.finish().map(Bytes::from).ok_or(Untold),
            Self::Translated(collector) => collector.finish().map(Bytes::from).map_err(|_| Untold),
        }
    }
}

/// A stream on its way back.
pub(super) enum Descent {
    /// As it is.
    Same,
    /// Without the chunk of usage.
    WithoutUsage,
    /// Out of its envelope.
    Unwrapped,
    /// Into one.
    Wrapped,
    /// In another protocol.
    Translated(Box<Translator>),
}

impl Descent {
    /// What the client gets of these events; may be nothing.
    pub(super) fn pass(&mut self, batch: &Batch) -> Bytes {
        match self {
            Self::Same => batch.raw(),
            Self::WithoutUsage => without_usage(batch),
            Self::Unwrapped => envelope::unwrapped_events(batch),
            Self::Wrapped => envelope::wrapped_events(batch),
            Self::Translated(translator) => translator.push(batch),
        }
    }

    /// What is still to be said once the upstream has sent all.
    pub(super) fn finish(&mut self) -> Bytes {
        match self {
            Self::Translated(translator) => translator.finish(),
            _ => Bytes::new(),
        }
    }

    /// Whether bytes behind the last event are the client's.
    pub(super) const fn passes_tail(&self) -> bool {
        matches!(self, Self::Same)
    }

    /// Ends a stream that breaks off, in the client's protocol.
    pub(super) fn broken(&mut self, protocol: Protocol, error: ErrorBody, call: &str) -> Bytes {
        match self {
            Self::Translated(translator) => translator.fail(error),
            _ => broken::end(protocol, error, call),
        }
    }
}
