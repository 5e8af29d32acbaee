//! What the hot paths cost: `cargo run --release -p relay-wire --example speed`.

#![expect(clippy::print_stdout, reason = "the figures are what this is for")]

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use relay_wire::anthropic::meter::Meter;
use relay_wire::sse::SseFramer;

/// Events in one run.
const EVENTS: usize = 10_000;

fn main() {
    peeking();
    streaming();
}

/// The best of several runs, in nanoseconds: other work on the machine only ever adds.
fn best_nanos(mut run: impl FnMut()) -> u128 {
    let timed = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_nanos()
    };
    (0..50).map(timed).min().unwrap_or_default()
}

fn report(what: &str, nanos: u128, units: usize, unit: &str) {
    let picos = nanos * 1_000 / units as u128;
    println!("{what}: {}.{:03} ns a {unit}", picos / 1_000, picos % 1_000);
}

fn peeking() {
    let bodies = [
        ("one long text", "Plain words. ".repeat(80_000)),
        ("lines of code", "    let answer = compute(42)?; // see above\\n".repeat(20_000)),
        ("Chinese", "你好，世界。这是一个测试。".repeat(20_000)),
        ("Base64", "iVBORw0KGgo".repeat(100_000)),
    ];
    for (what, text) in bodies {
        let message = r#"{"role":"user","content":[{"type":"text","text":"short"}]}"#;
        let body = format!(
            r#"{{"model":"m","messages":[{message},{{"role":"assistant","content":"{text}"}}]}}"#
        );
        let nanos = best_nanos(|| _ = black_box(relay_wire::peek::messages(body.as_bytes())));
        report(what, nanos, body.len(), "byte");
    }
    let message = r#"{"role":"user","content":[{"type":"text","text":"What is the time?"}]},"#;
    let body = format!(r#"{{"model":"m","messages":[{}1]}}"#, message.repeat(5_000));
    let nanos = best_nanos(|| _ = black_box(relay_wire::peek::messages(body.as_bytes())));
    report("short messages", nanos, body.len(), "byte");
}

fn streaming() {
    let chunk = Bytes::from_static(
        b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\
          \"delta\":{\"type\":\"text_delta\",\"text\":\" quite some words\"}}\n\n",
    );
    let nanos = best_nanos(|| {
        let mut framer = SseFramer::new(1 << 20);
        for _ in 0..EVENTS {
            let batch = framer.push(chunk.clone()).expect("a small event");
            black_box(batch.events().count());
        }
    });
    report("framing", nanos, EVENTS, "event");
    let nanos = best_nanos(|| {
        let (mut framer, mut meter) = (SseFramer::new(1 << 20), Meter::default());
        for _ in 0..EVENTS {
            let batch = framer.push(chunk.clone()).expect("a small event");
            for event in batch.events() {
                black_box(meter.observe(&event));
            }
        }
    });
    report("framing and metering", nanos, EVENTS, "event");
}
