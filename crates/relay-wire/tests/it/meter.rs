//! The meter on recorded streams, cut in every way.

use bytes::Bytes;
use relay_core::usage::{Exactness, TokenUsage};
use relay_wire::anthropic::error::ErrorBody;
use relay_wire::anthropic::meter::{Meter, Metered, Phase};
use relay_wire::sse::SseFramer;

const EVENT_BYTES_MAX: usize = 1 << 20;

/// What a stream came to: the phases in order, without repetitions, and the usage.
type Metering = (Vec<Phase>, Metered);

fn meter<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Metering {
    let (mut framer, mut meter) = (SseFramer::new(EVENT_BYTES_MAX), Meter::default());
    let mut phases = Vec::new();
    for chunk in chunks {
        let batch = framer.push(Bytes::copy_from_slice(chunk)).expect("a small event");
        phases.extend(batch.events().map(|event| meter.observe(&event)));
    }
    phases.dedup();
    (phases, meter.metered())
}

/// Meters a stream with every line end, whole, cut in two at every place, and byte by byte.
fn check(stream: &str, phases: &[Phase], expected: &Metered) {
    for stream in [stream.to_owned(), stream.replace('\n', "\r\n"), stream.replace('\n', "\r")] {
        let stream = stream.as_bytes();
        let expected = (phases.to_vec(), expected.clone());
        assert_eq!(meter([stream]), expected);
        assert_eq!(meter(stream.chunks(1)), expected);
        for cut in 0..stream.len() {
            assert_eq!(meter([&stream[..cut], &stream[cut..]]), expected, "cut at {cut}");
        }
    }
}

fn exact(model: &str, usage: TokenUsage) -> Metered {
    Metered {
        usage,
        exactness: Exactness::Exact,
        model_served: model.into(),
        service_tier: String::new(),
        speed: String::new(),
    }
}

fn error(kind: &str, message: &str) -> Phase {
    Phase::Error(ErrorBody { kind: kind.into(), message: message.into() })
}

const WHOLE: [Phase; 3] = [Phase::Preamble, Phase::Content, Phase::Terminal];

#[test]
fn text_in_chinese() {
    let usage = TokenUsage {
        input: 25,
        output: 15,
        cache_read: 2_000,
        cache_write_5m: 60,
        cache_write_1h: 40,
        web_searches: 0,
    };
    let expected = Metered { service_tier: "standard".into(), ..exact("claude-sonnet-4-6", usage) };
    check(include_str!("../golden/anthropic/text_chinese.sse"), &WHOLE, &expected);
}

#[test]
fn a_tool_call() {
    let usage = TokenUsage { input: 472, output: 89, ..TokenUsage::default() };
    let expected = exact("claude-opus-4-8", usage);
    check(include_str!("../golden/anthropic/tool_use.sse"), &WHOLE, &expected);
}

#[test]
fn thinking_with_a_signature_and_an_unknown_event() {
    let usage = TokenUsage { input: 40, output: 30, ..TokenUsage::default() };
    let expected = Metered { speed: "fast".into(), ..exact("claude-opus-4-8", usage) };
    check(include_str!("../golden/anthropic/thinking.sse"), &WHOLE, &expected);
}

#[test]
fn a_web_search_states_its_input_at_the_end() {
    let usage = TokenUsage { input: 10_682, output: 510, web_searches: 1, ..TokenUsage::default() };
    let expected = exact("claude-sonnet-4-6", usage);
    check(include_str!("../golden/anthropic/web_search.sse"), &WHOLE, &expected);
}

#[test]
fn cache_fields_that_are_repeated_count_once() {
    let usage = TokenUsage {
        input: 6,
        output: 21,
        cache_read: 9_500,
        cache_write_1h: 700,
        ..TokenUsage::default()
    };
    let expected = Metered { service_tier: "priority".into(), ..exact("claude-opus-4-8", usage) };
    check(include_str!("../golden/anthropic/cumulative_cache.sse"), &WHOLE, &expected);
}

#[test]
fn an_overload_inside_a_200() {
    let expected = Metered { exactness: Exactness::Estimated, ..exact("", TokenUsage::default()) };
    let phases = [error("overloaded_error", "Overloaded")];
    check(include_str!("../golden/anthropic/overloaded.sse"), &phases, &expected);
}

#[test]
fn an_error_after_content_leaves_an_estimate() {
    let usage = TokenUsage { input: 9, output: 7, ..TokenUsage::default() };
    let expected = Metered { exactness: Exactness::Estimated, ..exact("claude-haiku-5-5", usage) };
    let failed = error("api_error", "Internal server error");
    let phases = [Phase::Preamble, Phase::Content, failed];
    check(include_str!("../golden/anthropic/error_midway.sse"), &phases, &expected);
}

#[test]
fn a_stream_cut_anywhere_never_states_less_than_it_had_said() {
    let stream = include_str!("../golden/anthropic/text_chinese.sse").as_bytes();
    let mut least = TokenUsage::default();
    for cut in 0..=stream.len() {
        let (_, metered) = meter([&stream[..cut]]);
        assert!(metered.usage.output >= least.output && metered.usage.input >= least.input);
        assert_eq!(metered.exactness == Exactness::Exact, cut == stream.len());
        least = metered.usage;
    }
}
