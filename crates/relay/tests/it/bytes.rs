//! Bytes are sacred: what either side sends reaches the other as it was sent.

mod headers;
mod stream;
mod unary;
mod up;

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use relay_core::usage::TokenUsage;
use relay_testkit::{Answer, Chunking, Ending, FakeProvider, MessagesBody, Received, Served};

use crate::kit::TestRelay;

/// Every way to cut an answer that is worth a test.
fn chunkings() -> Vec<Chunking> {
    let mut all = vec![Chunking::Whole, Chunking::PerEvent, Chunking::EveryByte];
    all.extend([1, 2, 3].map(|seed| Chunking::Sizes(sizes(seed))));
    all
}

/// Sizes that look random and are the same in every run.
fn sizes(seed: u64) -> Vec<usize> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let size = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        1 + usize::try_from(state >> 57).expect("seven bits")
    };
    std::iter::repeat_with(size).take(97).collect()
}

/// One call whose answer is scripted: what its client got and what the provider sent.
async fn ask(
    provider: &FakeProvider,
    relay: &TestRelay,
    answer: Answer,
    body: &MessagesBody,
) -> (Received, Served) {
    provider.answers_once(answer);
    let received = relay.client.post("/api/v1/messages", &[], body.clone()).await;
    provider.until_idle().await;
    (received, provider.served().pop().expect("the provider was asked"))
}

/// Demands that an answer reaches the client byte for byte however it is cut, and that its usage
/// is read in full on the way.
async fn check(answer: Answer, body: MessagesBody) {
    check_cut(answer, body, chunkings()).await;
}

async fn check_cut(answer: Answer, body: MessagesBody, chunkings: Vec<Chunking>) {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    for (index, chunking) in chunkings.into_iter().enumerate() {
        let cut = answer.clone().chunking(chunking.clone());
        let (received, served) = ask(&provider, &relay, cut, &body).await;
        assert_eq!(received.status, served.status, "{chunking:?}");
        assert_eq!(received.ending, Ending::Whole, "{chunking:?}");
        assert_same(&received.body, &plain(&served), &format!("{chunking:?}"));
        relay.app.shutdown.until_no_call_is_open().await;
        let usage = relay.records().get(index).map(|record| record.usage);
        let stated = Some(served.usage).filter(|usage| *usage != TokenUsage::default());
        assert!(stated.is_none() || usage == stated, "{chunking:?}: {usage:?} for {stated:?}");
    }
}

/// What the provider sent, without its packing.
fn plain(served: &Served) -> Bytes {
    if !served.body.starts_with(b"\x1F\x8B") {
        return served.body.clone();
    }
    let mut plain = Vec::new();
    MultiGzDecoder::new(&served.body[..]).read_to_end(&mut plain).expect("gzip");
    plain.into()
}

/// Equality that shows where two long bodies part.
fn assert_same(received: &[u8], sent: &[u8], what: &str) {
    let parts = received.iter().zip(sent).position(|(got, wanted)| got != wanted);
    let at = parts.unwrap_or(received.len().min(sent.len()));
    let near = |bytes: &[u8]| {
        let from = at.saturating_sub(60);
        String::from_utf8_lossy(&bytes[from..bytes.len().min(at + 60)]).into_owned()
    };
    assert!(
        received == sent,
        "{what}: {} bytes for {}, different from byte {at}: {:?} for {:?}",
        received.len(),
        sent.len(),
        near(received),
        near(sent)
    );
}
