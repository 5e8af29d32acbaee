//! Reads request bodies: bounded in size, in time, and together in memory.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, EXPECT, HeaderMap};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::failure::{Busy, CallerFault, Failure};

/// How long a client may pause within its body.
pub const BODY_PAUSE_MAX: Duration = Duration::from_mins(1);
/// How long a body may take in all: until it has arrived it holds its memory and serves nobody.
pub const BODY_WITHIN: Duration = Duration::from_mins(10);
/// How long a call waits for room in memory.
pub const BODY_MEMORY_WAIT: Duration = Duration::from_secs(30);
/// How long, and up to how many bytes, an unwanted body is read so that its sender gets to see
/// the answer instead of a broken connection.
const DRAIN_WITHIN: Duration = Duration::from_secs(30);
const DRAIN_BYTES_MAX: usize = 128 << 20;

/// The grain in which memory is accounted.
const GRAIN: usize = 4 << 10;
/// How much is unpacked at a time.
const STEP: usize = 64 << 10;

/// The memory that all request bodies together may take.
#[derive(Debug, Clone)]
pub struct BodyMemory {
    free: Arc<Semaphore>,
    grains: u32,
}

/// A share of the memory, given back when the last copy of its body is dropped.
///
/// It is taken at once and only ever shrinks: bodies that held a part and waited for more would
/// wait for each other.
#[derive(Debug)]
struct Room(OwnedSemaphorePermit);

/// A body with its share of the memory: what the last copy of the bytes drops.
struct Held {
    bytes: Bytes,
    _room: Room,
}

/// A body that has arrived, with its share of the memory, before anything has a copy of it.
#[derive(Debug)]
pub struct Received {
    bytes: Bytes,
    room: Room,
}

impl Received {
    /// What it says.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The body, or what was made of it; the share is given back with the last copy.
    pub fn keep(self, changed: Option<Bytes>) -> Bytes {
        Bytes::from_owner(Held { bytes: changed.unwrap_or(self.bytes), _room: self.room })
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl BodyMemory {
    /// A budget of `bytes`.
    pub fn new(bytes: usize) -> Self {
        let grains = u32::try_from((bytes / GRAIN).min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        Self { free: Arc::new(Semaphore::new(grains as usize)), grains }
    }

    /// How many bytes are taken.
    pub fn used(&self) -> usize {
        (self.grains as usize).saturating_sub(self.free.available_permits()) * GRAIN
    }

    /// How many bytes there are in all.
    pub fn limit(&self) -> usize {
        self.grains as usize * GRAIN
    }

    /// Takes room for `bytes`, waiting for others to leave if need be. A single body never asks
    /// for more than there is.
    async fn take(&self, bytes: usize) -> Result<Room, Busy> {
        let grains = u32::try_from(bytes.div_ceil(GRAIN)).unwrap_or(u32::MAX).min(self.grains);
        let acquire = Arc::clone(&self.free).acquire_many_owned(grains);
        match timeout(BODY_MEMORY_WAIT, acquire).await {
            Ok(Ok(permit)) => Ok(Room(permit)),
            _ => Err(Busy::BodyMemory),
        }
    }
}

impl Room {
    /// Gives back what is not needed for `bytes`.
    fn shrink(&mut self, bytes: usize) {
        let excess = self.0.num_permits().saturating_sub(bytes.div_ceil(GRAIN));
        drop(self.0.split(excess));
    }
}

/// How a body is compressed.
enum Encoding {
    Identity,
    Gzip,
}

/// Takes room for a body that has arrived already, as a message of a socket.
pub async fn hold(memory: &BodyMemory, bytes: Bytes) -> Result<Received, Failure> {
    let room = memory.take(bytes.len()).await?;
    Ok(Received { bytes, room })
}

/// Reads a body of at most `limit` bytes, unpacking gzip (the limit is of the unpacked bytes).
pub async fn read(
    memory: &BodyMemory,
    headers: &HeaderMap,
    mut body: Incoming,
    limit: usize,
) -> Result<Received, Failure> {
    let stated = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
    let (encoding, room) = match make_room(memory, headers, stated, limit).await {
        Ok(prepared) => prepared,
        Err(failure) => {
            decline(headers, body);
            return Err(failure);
        }
    };
    let reading = timeout(BODY_WITHIN, read_into(room, encoding, &mut body, limit));
    let read = reading.await.unwrap_or_else(|_| Err(CallerFault::SlowBody.into()));
    if read.is_err() {
        drain(body);
    }
    read
}

/// Everything that refuses a body before any of it is read.
async fn make_room(
    memory: &BodyMemory,
    headers: &HeaderMap,
    stated: Option<usize>,
    limit: usize,
) -> Result<(Encoding, Room), Failure> {
    let encoding = encoding(headers)?;
    if stated.is_some_and(|bytes| bytes > limit) {
        return Err(CallerFault::TooLarge { limit }.into());
    }
    // Of an unstated length is known only that it may be as large as any.
    let sent = stated.unwrap_or(limit);
    let most = match encoding {
        Encoding::Identity => sent,
        Encoding::Gzip => sent + limit,
    };
    Ok((encoding, memory.take(most).await?))
}

async fn read_into(
    mut room: Room,
    encoding: Encoding,
    body: &mut Incoming,
    limit: usize,
) -> Result<Received, Failure> {
    let stated = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
    let mut bytes = Vec::with_capacity(stated.unwrap_or(0));
    while let Some(chunk) = next_chunk(body).await? {
        if bytes.len() + chunk.len() > limit {
            return Err(CallerFault::TooLarge { limit }.into());
        }
        bytes.extend_from_slice(&chunk);
    }
    if matches!(encoding, Encoding::Gzip) {
        bytes = unpack(&bytes, limit).await?;
    }
    bytes.shrink_to_fit();
    room.shrink(bytes.len());
    Ok(Received { bytes: bytes.into(), room })
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, CallerFault> {
    let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(Encoding::Identity) };
    match value.to_str().unwrap_or("").trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(Encoding::Identity),
        "gzip" | "x-gzip" => Ok(Encoding::Gzip),
        other => Err(CallerFault::Encoding(other.to_owned())),
    }
}

async fn next_chunk(body: &mut Incoming) -> Result<Option<Bytes>, CallerFault> {
    loop {
        let frame = match timeout(BODY_PAUSE_MAX, body.frame()).await {
            Err(_) => return Err(CallerFault::SlowBody),
            Ok(None) => return Ok(None),
            Ok(Some(Err(_))) => return Err(CallerFault::CutBody),
            Ok(Some(Ok(frame))) => frame,
        };
        if let Ok(chunk) = frame.into_data() {
            return Ok(Some(chunk));
        }
    }
}

/// Unpacks step by step, so that a small body which unpacks to a huge one takes no more memory
/// than its limit allows.
async fn unpack(packed: &[u8], limit: usize) -> Result<Vec<u8>, Failure> {
    let malformed =
        || CallerFault::Malformed("the body is not the gzip that it claims to be".into());
    let mut decoder = flate2::read::MultiGzDecoder::new(packed);
    let mut bytes = Vec::new();
    loop {
        let before = bytes.len();
        let mut step = decoder.by_ref().take(STEP as u64);
        step.read_to_end(&mut bytes).map_err(|_| malformed())?;
        if bytes.len() > limit {
            return Err(CallerFault::TooLarge { limit }.into());
        }
        if bytes.len() == before {
            return Ok(bytes);
        }
        tokio::task::yield_now().await;
    }
}

/// Lets go of a body that was not asked for. A client that waits to be told to send it is told
/// the answer instead.
pub fn decline(headers: &HeaderMap, body: Incoming) {
    if !headers.contains_key(EXPECT) {
        drain(body);
    }
}

/// Reads on beside the answer, for a while and without keeping anything: a client that is still
/// sending would otherwise see a broken connection instead of the answer.
fn drain(mut body: Incoming) {
    if body.is_end_stream() {
        return;
    }
    let reading = async move {
        let mut drained = 0;
        while drained < DRAIN_BYTES_MAX {
            let Some(Ok(frame)) = body.frame().await else { return };
            drained += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    tokio::spawn(timeout(DRAIN_WITHIN, reading));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_is_given_back_with_the_last_copy() {
        let memory = BodyMemory::new(1 << 20);
        let mut room = memory.take(500_000).await.expect("room");
        room.shrink(300_000);
        room.shrink(400_000);
        assert_eq!(memory.used(), 300_000_usize.div_ceil(GRAIN) * GRAIN);
        let received = Received { bytes: vec![0; 300_000].into(), room };
        let body = received.keep(Some(Bytes::from(vec![1; 300_001])));
        let copy = body.slice(10..20);
        drop(body);
        assert!(memory.used() > 0);
        drop(copy);
        assert_eq!(memory.used(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_waits_for_room_and_then_is_refused() {
        let memory = BodyMemory::new(100_000);
        let first = memory.take(90_000).await.expect("room");
        assert_eq!(memory.take(50_000).await.err(), Some(Busy::BodyMemory));
        drop(first);
        assert!(memory.take(50_000).await.is_ok());
        assert!(memory.take(usize::MAX).await.is_ok(), "what is larger than all has all");
    }

    #[tokio::test]
    async fn a_bomb_is_stopped_at_the_limit() {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![b' '; 32 << 20]).expect("a vector takes all");
        let packed = encoder.finish().expect("packed");
        let unpacked = unpack(&packed, 1 << 20).await;
        assert!(matches!(unpacked, Err(Failure::Caller(CallerFault::TooLarge { .. }))));
    }
}
