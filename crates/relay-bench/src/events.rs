//! What the load generator must know of a stream of events: how many deltas came, when each was
//! sent, and whether the stream came to its end.

/// What a delta's line begins with.
const DELTA: &[u8] = b"event: content_block_delta";
/// What the last event's line begins with.
const LAST: &[u8] = b"event: message_stop";
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
    deltas: u64,
    ended: bool,
}

impl EventScan {
    /// Makes ready for the next stream.
    pub(crate) fn begin(&mut self) {
        self.line.clear();
        (self.deltas, self.ended) = (0, false);
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
        if line.starts_with(DELTA) {
            self.deltas += 1;
        } else if line.starts_with(LAST) {
            self.ended = true;
        } else if let Some(moment) = moment(line) {
            sent(moment);
        }
    }
}

/// The moment that a line tells; noughts are none.
fn moment(line: &[u8]) -> Option<u64> {
    let digits = line.get(memchr::memchr(MARK, line)? + 1..)?.get(..DIGITS)?;
    let moment: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (moment > 0).then_some(moment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: &[u8] = b"event: message_start\ndata: {}\n\n\
        event: content_block_delta\ndata: {\"text\":\"@00000000000000000042 \"}\n\n\
        event: content_block_delta\ndata: {\"text\":\"@00000000000000000000 \"}\n\n\
        event: content_block_delta\ndata: {\"text\":\"@00000000000000000043 \"}\n\n\
        event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

    proptest! {
        #[test]
        fn any_split_gives_the_same_counts(
            mut cuts in prop::collection::vec(0..STREAM.len(), 0..12),
        ) {
            cuts.sort_unstable();
            let (mut scan, mut moments, mut from) = (EventScan::default(), Vec::new(), 0);
            for to in cuts.into_iter().chain([STREAM.len()]) {
                scan.feed(&STREAM[from..to], &mut |moment| moments.push(moment));
                from = to;
            }
            prop_assert_eq!((scan.deltas(), scan.ended(), moments), (3, true, vec![42, 43]));
        }
    }

    #[test]
    fn a_stream_without_its_last_event_has_not_ended() {
        let mut scan = EventScan::default();
        let cut = memchr::memmem::find(STREAM, LAST).unwrap();
        scan.feed(&STREAM[..cut], &mut |_| {});
        scan.feed(b"event: error\ndata: {}\n\n", &mut |_| {});
        assert!(!scan.ended());
    }
}
