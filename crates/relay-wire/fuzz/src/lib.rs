//! What the fuzz targets share: how their input is cut, and the checks of what comes of it.

use bytes::Bytes;
use relay_wire::sse::SseFramer;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

pub mod answers;
pub mod mutate;
pub mod requests;

/// More than any input holds.
pub const EVENT_BYTES_MAX: usize = 1 << 20;

/// The first byte of an input, by which a target chooses, and the rest.
pub fn choice(input: &[u8]) -> Option<(u8, &[u8])> {
    input.split_first().map(|(choice, rest)| (*choice, rest))
}

/// Cuts bytes into chunks, most of them small, as `seed` says.
pub fn chunks(mut seed: u8, mut bytes: &[u8]) -> Vec<Bytes> {
    let mut chunks = Vec::new();
    while !bytes.is_empty() {
        seed = seed.wrapping_mul(141).wrapping_add(97);
        let most = if seed & 0x80 == 0 { 4 } else { 128 };
        let (chunk, rest) = bytes.split_at(bytes.len().min(usize::from(seed & 0x7f) % most + 1));
        chunks.push(Bytes::copy_from_slice(chunk));
        bytes = rest;
    }
    chunks
}

/// Whether bytes are JSON and UTF-8, of any depth.
pub fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(bytes).is_ok()
}

/// Whether bytes have the form of JSON, whatever stands in their strings: to bodies that pass
/// through the relay does not say more than their upstream will.
pub fn is_formed(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// An event that owns what it says.
pub type Owned = (Option<Vec<u8>>, Vec<u8>);

/// The events of a stream that comes in these chunks, and its bytes put together again.
pub fn events(chunks: Vec<Bytes>) -> (Vec<Owned>, Vec<u8>) {
    let mut framer = SseFramer::new(EVENT_BYTES_MAX);
    let (mut events, mut bytes) = (Vec::new(), Vec::new());
    for chunk in chunks {
        let batch = framer.push(chunk).expect("a small event");
        let raw = batch.raw();
        let mut end = 0;
        for event in batch.events() {
            assert!(
                end < event.end && event.end <= raw.len(),
                "an event ends after the one before"
            );
            end = event.end;
            events.push((event.name.map(<[u8]>::to_vec), event.data.into_owned()));
        }
        bytes.extend_from_slice(&raw);
    }
    bytes.extend_from_slice(&framer.finish());
    (events, bytes)
}
