//! The whole way: a client's request to an account of another protocol, and its answer back.

mod bounds;
mod goldens;
mod rounds;
mod streams;
mod usage;

use bytes::Bytes;
use relay_core::endpoint::Endpoint;
use relay_core::protocol::Protocol;
use relay_wire::hub::DecodeError;
use relay_wire::sse::{Batch, SseFramer};
use relay_wire::translate::{Asker, Back, Host, Pair, Target, Translated, pairs, request};
use serde_json::Value;

/// The pairs whose answers are conversations.
fn conversations() -> impl Iterator<Item = Pair> {
    pairs().filter(|pair| !pair.account.only_counts())
}

/// A pair, for the names of snapshots.
fn name_of(Pair { client, account }: Pair) -> String {
    let word = |endpoint| serde_json::to_string(&endpoint).expect("a word").replace('"', "");
    format!("{}_to_{}", word(client), word(account))
}

fn asker(client: Endpoint) -> Asker<'static> {
    Asker { endpoint: client, call: "req_1", now: 1_760_000_000 }
}

fn target(account: Endpoint, host: Host) -> Target<'static> {
    let model = match account.protocol() {
        Protocol::Messages => "claude-opus-4-6",
        Protocol::Chat | Protocol::Responses => "gpt-6",
        Protocol::Gemini => "gemini-3-pro",
    };
    Target { endpoint: account, model, streamed: true, host }
}

fn translated(pair: Pair, body: &[u8]) -> Result<Translated, DecodeError> {
    request(asker(pair.client), target(pair.account, Host::Api), body)
}

/// A request with everything in it that the pair carries.
fn everything(pair: Pair) -> Vec<u8> {
    let body: &str = match pair.client {
        Endpoint::Messages | Endpoint::CountTokens => {
            include_str!("../golden/translate/requests/messages.json")
        }
        Endpoint::Chat => include_str!("../golden/translate/requests/chat.json"),
        Endpoint::Completions => include_str!("../golden/translate/requests/completions.json"),
        _ => include_str!("../golden/translate/requests/responses.json"),
    };
    let mut body: Value = serde_json::from_str(body).expect("a golden request");
    if pair.account.protocol() == Protocol::Responses {
        // It has none, and refuses them.
        let body = body.as_object_mut().expect("an object");
        body.retain(|name, _| name != "stop" && name != "stop_sequences");
    }
    body.to_string().into_bytes()
}

/// How answers to that request get back.
fn back(pair: Pair) -> Back {
    translated(pair, &everything(pair)).expect("a request that the pair carries").back
}

/// One answer, in an account's protocol: streamed and whole.
fn answer(account: Endpoint) -> (&'static [u8], &'static [u8]) {
    macro_rules! golden {
        ($name:literal) => {
            (
                include_bytes!(concat!("../golden/translate/answers/", $name, ".sse")).as_slice(),
                include_bytes!(concat!("../golden/translate/answers/", $name, ".json")).as_slice(),
            )
        };
    }
    match account.protocol() {
        Protocol::Messages => golden!("messages"),
        Protocol::Chat => golden!("chat"),
        Protocol::Responses => golden!("responses"),
        Protocol::Gemini => golden!("gemini"),
    }
}

/// The events of a stream that comes in these chunks.
fn batches<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Batch> {
    let mut framer = SseFramer::new(1 << 20);
    let taken = |chunk: &[u8]| framer.push(Bytes::copy_from_slice(chunk)).expect("small events");
    chunks.into_iter().map(taken).collect()
}

/// What the client gets of a stream.
fn streamed<'a>(back: &Back, chunks: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut translator = back.stream();
    let mut out = Vec::new();
    for batch in batches(chunks) {
        out.extend_from_slice(&translator.push(&batch));
    }
    out.extend_from_slice(&translator.finish());
    String::from_utf8(out).expect("JSON is UTF-8")
}

/// What the client gets of a stream that it wanted whole.
fn collected<'a>(back: &Back, chunks: impl IntoIterator<Item = &'a [u8]>) -> Value {
    let mut collector = back.collector();
    for batch in batches(chunks) {
        collector.push(&batch);
    }
    json(&collector.finish().expect("an answer"))
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("JSON")
}

/// The data of the events of a stream.
fn data(stream: &str) -> Vec<Value> {
    let lines = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.filter(|data| *data != "[DONE]").map(|data| json(data.as_bytes())).collect()
}
