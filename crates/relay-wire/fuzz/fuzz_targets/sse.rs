//! The framer of streams: however the bytes come, the same events, and the same bytes passed on.

#![no_main]

use std::mem;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use relay_wire::sse::SseFramer;
use relay_wire_fuzz::{Owned, choice, chunks, events};

fuzz_target!(|input: &[u8]| {
    let Some((seed, stream)) = choice(input) else { return };
    let (at_once, bytes) = events(vec![Bytes::copy_from_slice(stream)]);
    assert_eq!(bytes, stream, "every byte is passed on");
    assert_eq!(at_once, by_the_grammar(stream), "what the grammar says");
    let (in_chunks, bytes) = events(chunks(seed, stream));
    assert_eq!(bytes, stream, "every byte is passed on");
    assert_eq!(in_chunks, at_once, "any chunking gives the same events");
    within_its_limit(seed, stream);
});

/// A framer that may hold back little: it never holds more than that and a chunk, and what it
/// refuses it has not taken.
fn within_its_limit(seed: u8, stream: &[u8]) {
    let most = usize::from(seed) / 4;
    let mut framer = SseFramer::new(most);
    for chunk in chunks(seed, stream) {
        let (held, length) = (framer.held(), chunk.len());
        match framer.push(chunk) {
            Ok(batch) => assert_eq!(batch.raw().len() + framer.held(), held + length),
            Err(_) => return assert!(framer.held() == held && held + length > most),
        }
        assert!(framer.held() <= most.max(length), "no more is held back");
    }
}

/// The events by the grammar of the standard, read line by line from the whole.
fn by_the_grammar(stream: &[u8]) -> Vec<Owned> {
    let stream = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    let (mut events, mut name, mut data) = (Vec::new(), None, None::<Vec<u8>>);
    for line in lines(stream) {
        if line.is_empty() {
            let name = mem::take(&mut name);
            events.extend(data.take().map(|data| (name, data)));
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"event" => name = Some(value.to_vec()).filter(|name| !name.is_empty()),
            b"data" => match &mut data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => data = Some(value.to_vec()),
            },
            _ => {}
        }
    }
    events
}

/// The lines that have an end: LF, CRLF or CR.
fn lines(stream: &[u8]) -> Vec<Vec<u8>> {
    let (mut lines, mut line, mut bytes) = (Vec::new(), Vec::new(), stream.iter().peekable());
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' => {
                bytes.next_if_eq(&&b'\n');
                lines.push(mem::take(&mut line));
            }
            b'\n' => lines.push(mem::take(&mut line)),
            byte => line.push(*byte),
        }
    }
    lines
}
