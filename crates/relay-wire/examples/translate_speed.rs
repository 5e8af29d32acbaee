//! What the whole way costs for every pair: `cargo run --release -p relay-wire --example
//! translate_speed`. The bars: a request of 50 KB within 1 ms, an event within 10 µs.

#![expect(clippy::print_stdout, reason = "the figures are what this is for")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use relay_core::endpoint::Endpoint;
use relay_core::protocol::Protocol;
use relay_wire::sse::{Batch, SseFramer};
use relay_wire::translate::{Asker, Back, Host, Pair, Target, Translated, pairs, request};
use relay_wire::{anthropic, chat, responses};
use serde_json::{Value, json};

/// Events of words in one stream.
const EVENTS: u32 = 10_000;

fn main() {
    println!("| pair | request | bytes | event of words |");
    println!("|---|---|---|---|");
    for pair in pairs() {
        let body = body(pair.client);
        let there = translated(pair, &body);
        let took = best(|| _ = black_box(translated(pair, black_box(&body))));
        let event = if pair.account.only_counts() {
            "–".to_owned()
        } else {
            format!("{:?}", event(pair.account, &there.back))
        };
        let Pair { client, account } = pair;
        println!("| {client:?} → {account:?} | {took:?} | {} | {event} |", body.len());
    }
}

fn translated(pair: Pair, body: &[u8]) -> Translated {
    let model = match pair.account.protocol() {
        Protocol::Messages => "claude-opus-4-8",
        Protocol::Chat | Protocol::Responses => "gpt-6",
        Protocol::Gemini => "gemini-3-pro",
    };
    let asker = Asker { endpoint: pair.client, call: "call_1", now: 1_760_000_000 };
    let target = Target { endpoint: pair.account, model, streamed: true, host: Host::Api };
    request(asker, target, body).expect("a request that the pair carries")
}

/// What an event costs, framing aside: the events of a stream come four at a time.
fn event(account: Endpoint, back: &Back) -> Duration {
    let batches = stream(account);
    let took = best(|| {
        let mut translator = back.stream();
        for batch in &batches {
            black_box(translator.push(batch));
        }
        black_box(translator.finish());
    });
    took / EVENTS
}

/// The best of many runs: other work on the machine only ever adds.
fn best(mut run: impl FnMut()) -> Duration {
    let timed = |_| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..100).map(timed).min().unwrap_or_default()
}

/// A stream of words, in an account's protocol.
fn stream(account: Endpoint) -> Vec<Batch> {
    let (begin, event, end): (&str, &str, &str) = match account.protocol() {
        Protocol::Messages => (
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"m\",\"usage\":{\"input_tokens\":9}}}\n\n\
             event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" quite some words\"}}\n\n",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ),
        Protocol::Chat => (
            "",
            "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"m\",\"service_tier\":\"default\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" quite some words\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"aB3dE6\"}\n\n",
            "data: [DONE]\n\n",
        ),
        Protocol::Responses => (
            "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"model\":\"m\"}}\n\n\
             event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[]}}\n\n",
            "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":9,\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\" quite some words\",\"logprobs\":[],\"obfuscation\":\"aB3dE6\"}\n\n",
            "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"status\":\"completed\"}}\n\n",
        ),
        Protocol::Gemini => (
            "",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\" quite some words\"}],\"role\":\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":100,\"candidatesTokenCount\":9,\"totalTokenCount\":109,\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":100}]},\"modelVersion\":\"m\",\"responseId\":\"r-1\"}\n\n",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}]},\"finishReason\":\"STOP\",\"index\":0}]}\n\n",
        ),
    };
    let mut framer = SseFramer::new(1 << 20);
    let mut push = |chunk: String| framer.push(Bytes::from(chunk)).expect("small events");
    let mut batches = vec![push(begin.to_owned())];
    batches.extend((0..EVENTS / 4).map(|_| push(event.repeat(4))));
    batches.push(push(end.to_owned()));
    batches
}

/// A request of about 50 KB, as a client of this endpoint sends it: a long conversation with tools.
fn body(client: Endpoint) -> Vec<u8> {
    if client == Endpoint::Completions {
        let mut prompt = String::new();
        while prompt.len() < 50_000 {
            // Writing to a string cannot fail.
            let _ = writeln!(prompt, "Plain words, and \"some\" more, line {}.", prompt.len());
        }
        return json!({"model": "m", "prompt": prompt, "stream": true}).to_string().into_bytes();
    }
    let chat_body = conversation().to_string().into_bytes();
    let read = chat::request::read(&chat_body).expect("a request").request;
    let written = match client.protocol() {
        Protocol::Messages => anthropic::request::write(&read),
        Protocol::Responses => responses::request::write(&read),
        Protocol::Chat | Protocol::Gemini => return chat_body,
    };
    written.expect("it is carried").body
}

fn conversation() -> Value {
    let tool = |number| {
        let city = json!({"type": "string", "description": "The city. ".repeat(8)});
        let parameters = json!({"type": "object", "properties": {"city": city, "days":
            {"type": "integer", "minimum": 1}}, "required": ["city"], "additionalProperties": false});
        json!({"type": "function", "function": {"name": format!("tool_{number}"),
            "description": "What it does. ".repeat(12), "parameters": parameters}})
    };
    let turns = |number: usize| {
        let id = format!("call_{number}");
        let arguments = json!({"path": "src/main.rs", "lines": [1, 2, 3]}).to_string();
        [
            json!({"role": "user", "content": "Plain words, and \"some\" more.\n".repeat(8)}),
            json!({"role": "assistant", "content": "So it is. ".repeat(10), "tool_calls": [
                {"id": id, "type": "function", "function": {"name": "tool_1", "arguments": arguments}}]}),
            json!({"role": "tool", "tool_call_id": id,
                "content": "    let answer = compute(42)?; // see above\n".repeat(10)}),
        ]
    };
    let instructions = json!({"role": "system", "content": "Be kind and brief. ".repeat(300)});
    let mut messages = vec![instructions];
    messages.extend((0..24).flat_map(turns));
    messages.push(json!({"role": "user", "content": "Go on."}));
    let tools: Vec<Value> = (0..30).map(tool).collect();
    json!({"model": "m", "messages": messages, "tools": tools, "stream": true})
}
