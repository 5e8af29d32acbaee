//! What the load generator must know of a stream of events: how many deltas came, when each was
//! sent, and whether the stream came to its end.

use relay_core::protocol::Protocol;

/// What a line begins with that names its event.
const EVENT: &[u8] = b"event: ";
/// Ends streams of Chat.
const DONE: &[u8] = b"data: [DONE]";
/// Stands in the last event of Google's.
const FINISHED: &[u8] = br#""finishReason":"STOP""#;
/// Stands before the moment at which a delta was sent.
const MARK: u8 = b'@';
/// Digits of that moment.
const DIGITS: usize = 20;
/// Longer lines are cut: nothing that counts stands behind.
const LINE_BYTES_MAX: usize = 64 * 1_024;

/// Follows one stream. Any split of its bytes gives the same counts.
#[derive(Debug, Default)]
pub(crate) struct EventScan {
    line: Vec<u8>,
    /// The names of a delta and of the last event, where events have names.
    names: Option<Names>,
    is_delta: bool,
    deltas: u64,
    ended: bool,
}

#[derive(Debug, Clone, Copy)]
struct Names {
    delta: &'static [u8],
    last: &'static [u8],
}

impl Names {
    const fn of(protocol: Protocol) -> Option<Self> {
        match protocol {
            Protocol::Messages => {
                Some(Self { delta: b"content_block_delta", last: b"message_stop" })
            }
            Protocol::Responses => {
                Some(Self { delta: b"response.output_text.delta", last: b"response.completed" })
            }
            Protocol::Chat | Protocol::Gemini => None,
        }
    }
}

impl EventScan {
    /// Makes ready for the next stream, of this protocol.
    pub(crate) fn begin(&mut self, protocol: Protocol) {
        self.line.clear();
        self.names = Names::of(protocol);
        (self.is_delta, self.deltas, self.ended) = (false, 0, false);
    }

    /// Deltas so far.
    pub(crate) fn deltas(&self) -> u64 {
        self.deltas
    }

    /// Whether the stream said that it is whole.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Takes the next bytes; `sent` gets the moment of each delta that tells it, in nanoseconds.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], sent: &mut impl FnMut(u64)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            if self.line.is_empty() {
                self.take(&bytes[..end], sent);
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(&bytes[..end]);
                self.take(&line, sent);
                line.clear();
                self.line = line;
            }
            bytes = &bytes[end + 1..];
        }
        let room = LINE_BYTES_MAX.saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn take(&mut self, line: &[u8], sent: &mut impl FnMut(u64)) {
        match self.names {
            Some(names) => self.take_named(line, names, sent),
            None => self.take_nameless(line, sent),
        }
    }

    /// Later events may repeat the text of the deltas, so only theirs counts.
    fn take_named(&mut self, line: &[u8], names: Names, sent: &mut impl FnMut(u64)) {
        if let Some(name) = line.strip_prefix(EVENT) {
            let name = name.trim_ascii_end();
            self.is_delta = name == names.delta;
            self.deltas += u64::from(self.is_delta);
            self.ended |= name == names.last;
        } else if self.is_delta
            && let Some(moment) = moment(line).filter(|moment| *moment > 0)
        {
            sent(moment);
        }
    }

    fn take_nameless(&mut self, line: &[u8], sent: &mut impl FnMut(u64)) {
        if let Some(moment) = moment(line) {
            self.deltas += 1;
            if moment > 0 {
                sent(moment);
            }
        } else if line.starts_with(DONE) || memchr::memmem::find(line, FINISHED).is_some() {
            self.ended = true;
        }
    }
}

/// The moment that a line tells; noughts stand for none.
fn moment(line: &[u8]) -> Option<u64> {
    let digits = line.get(memchr::memchr(MARK, line)? + 1..)?.get(..DIGITS)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MESSAGES: &[u8] = b"event: message_start\ndata: {}\n\n\
        event: content_block_delta\ndata: {\"text\":\"@00000000000000000042 \"}\n\n\
        event: content_block_delta\ndata: {\"text\":\"@00000000000000000000 \"}\n\n\
        event: content_block_delta\ndata: {\"text\":\"@00000000000000000043 \"}\n\n\
        event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    const CHAT: &[u8] = b"data: {\"delta\":{\"role\":\"assistant\"}}\n\n\
        data: {\"content\":\"@00000000000000000042 \"}\n\n\
        data: {\"content\":\"@00000000000000000000 \"}\n\n\
        data: {\"content\":\"@00000000000000000043 \"}\n\n\
        data: {\"finish_reason\":\"stop\"}\n\ndata: [DONE]\n\n";
    const RESPONSES: &[u8] = b"event: response.created\ndata: {}\n\n\
        event: response.output_text.delta\ndata: {\"delta\":\"@00000000000000000042 \"}\n\n\
        event: response.output_text.delta\ndata: {\"delta\":\"@00000000000000000000 \"}\n\n\
        event: response.output_text.delta\ndata: {\"delta\":\"@00000000000000000043 \"}\n\n\
        event: response.output_text.done\ndata: {\"text\":\"@00000000000000000042 @0000\"}\n\n\
        event: response.completed\ndata: {\"text\":\"@00000000000000000042 @0000\"}\n\n";
    const GEMINI: &[u8] = b"data: {\"text\":\"@00000000000000000042 \"}\r\n\r\n\
        data: {\"text\":\"@00000000000000000000 \"}\r\n\r\n\
        data: {\"text\":\"@00000000000000000043 \"}\r\n\r\n\
        data: {\"text\":\"\",\"finishReason\":\"STOP\"}\r\n\r\n";
    const STREAMS: [(Protocol, &[u8], &[u8]); 4] = [
        (Protocol::Messages, MESSAGES, b"event: message_stop"),
        (Protocol::Chat, CHAT, DONE),
        (Protocol::Responses, RESPONSES, b"event: response.completed"),
        (Protocol::Gemini, GEMINI, b"data: {\"text\":\"\""),
    ];

    fn scan(protocol: Protocol) -> EventScan {
        let mut scan = EventScan::default();
        scan.begin(protocol);
        scan
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_counts(
            mut cuts in prop::collection::vec(0..RESPONSES.len(), 0..12),
        ) {
            cuts.sort_unstable();
            for (protocol, stream, _) in STREAMS {
                let (mut scan, mut moments, mut from) = (scan(protocol), Vec::new(), 0);
                for to in cuts.iter().map(|at| (*at).min(stream.len())).chain([stream.len()]) {
                    scan.feed(&stream[from..to], &mut |moment| moments.push(moment));
                    from = to;
                }
                let seen = (scan.deltas(), scan.ended(), moments);
                prop_assert_eq!(seen, (3, true, vec![42, 43]), "{:?}", protocol);
            }
        }
    }

    #[test]
    fn a_stream_without_its_last_event_has_not_ended() {
        for (protocol, stream, last) in STREAMS {
            let mut scan = scan(protocol);
            let cut = memchr::memmem::find(stream, last).unwrap();
            scan.feed(&stream[..cut], &mut |_| {});
            scan.feed(b"event: error\ndata: {}\n\n", &mut |_| {});
            assert!(!scan.ended(), "{protocol:?}");
        }
    }
}
