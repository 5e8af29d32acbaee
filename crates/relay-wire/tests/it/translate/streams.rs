//! Streams: whichever way they come, the client gets the same, and always an end.

use proptest::prelude::*;
use relay_core::endpoint::Endpoint;
use relay_wire::anthropic::error::ErrorBody;
use relay_wire::translate::Pair;
use serde_json::Value;

use super::{answer, back, batches, collected, conversations, data, json, streamed};

/// How a stream ends that went well, and one that did not.
fn ends(client: Endpoint, stream: &str) -> (bool, bool) {
    let last = stream.trim_end().rsplit("\n\n").next().unwrap_or_default();
    match client {
        Endpoint::Messages => {
            (last.starts_with("event: message_stop"), last.starts_with("event: error"))
        }
        Endpoint::Responses => (
            last.starts_with("event: response.completed"),
            last.starts_with("event: response.failed"),
        ),
        // Both ends are followed by `[DONE]`.
        _ => {
            let is_done = last == "data: [DONE]";
            let is_error = data(stream).last().is_some_and(|it| it.get("error").is_some());
            (is_done && !is_error, is_done && is_error)
        }
    }
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_bytes(
        cuts in prop::collection::vec(0.0..1.0_f64, 0..12),
        number in 0..13_usize,
    ) {
        let pair = conversations().nth(number).expect("there are thirteen");
        let (stream, _) = answer(pair.account);
        #[expect(
            clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
            reason = "a place within a short stream"
        )]
        let mut cuts: Vec<usize> =
            cuts.into_iter().map(|cut| (cut * stream.len() as f64) as usize).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]);
        let back = back(pair);
        prop_assert_eq!(streamed(&back, chunks.clone()), streamed(&back, [stream]));
        prop_assert_eq!(collected(&back, chunks), collected(&back, [stream]));
    }
}

#[test]
fn there_are_thirteen_pairs() {
    assert_eq!(conversations().count(), 13);
}

#[test]
fn a_whole_answer_is_what_its_stream_comes_to() {
    for pair in conversations() {
        let (stream, whole) = answer(pair.account);
        let back = back(pair);
        let mut told = json(&back.whole(whole).expect("an answer"));
        let mut folded = collected(&back, [stream]);
        // Arguments are kept as they were written, and one of the two is written over lines.
        for answer in [&mut told, &mut folded] {
            unspaced(answer);
        }
        assert_eq!(told, folded, "{pair:?}");
    }
}

/// Arguments without their blanks.
fn unspaced(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with('{') => text.retain(|it| !it.is_whitespace()),
        Value::Array(list) => list.iter_mut().for_each(unspaced),
        Value::Object(fields) => fields.values_mut().for_each(unspaced),
        _ => {}
    }
}

#[test]
fn every_stream_ends_as_its_protocol_has_it() {
    for pair in conversations() {
        let (stream, whole) = answer(pair.account);
        let back = back(pair);
        let told = streamed(&back, [stream]);
        assert_eq!(ends(pair.client, &told), (true, false), "{pair:?}: {told}");
        let told = back.whole_as_stream(whole).expect("an answer");
        let told = String::from_utf8(told.to_vec()).expect("JSON is UTF-8");
        assert_eq!(ends(pair.client, &told), (true, false), "{pair:?}: {told}");
    }
}

#[test]
fn a_stream_that_fails_ends_with_the_clients_own_error() {
    for pair in conversations() {
        let (stream, _) = answer(pair.account);
        let back = back(pair);
        let whole = streamed(&back, [stream]);
        // Wherever in an event it is cut.
        for cut in (0..stream.len()).step_by(29) {
            let (told, mut translator) = (&stream[..cut], back.stream());
            let mut sent = Vec::new();
            for batch in batches([told]) {
                sent.extend_from_slice(&translator.push(&batch));
            }
            let cut_off = streamed(&back, [told]);
            let before = String::from_utf8(sent.clone()).expect("JSON is UTF-8");
            if ends(pair.client, &before).0 {
                // What the client waits for has come; nothing comes after it.
                assert_eq!(before, whole, "{pair:?}");
                assert_eq!(cut_off, whole, "{pair:?}");
                continue;
            }
            assert!(cut_off.starts_with(&before), "{pair:?}, cut at {cut}");
            let (is_well, is_failed) = ends(pair.client, &cut_off);
            assert_ne!(is_well, is_failed, "{pair:?} at {cut}: {cut_off}");
            // Only an answer that said why it ends is whole without what should come after.
            let has_stopped =
                String::from_utf8_lossy(told).contains(r#""finish_reason":"tool_calls""#);
            assert!(is_failed || has_stopped, "{pair:?} at {cut}");

            let error = ErrorBody {
                kind: "overloaded_error".to_owned(),
                message: "the host went away".to_owned(),
            };
            sent.extend_from_slice(&translator.fail(error));
            let failed = String::from_utf8(sent).expect("JSON is UTF-8");
            assert_eq!(ends(pair.client, &failed), (false, true), "{pair:?} at {cut}");
            assert!(failed.contains("the host went away"), "{pair:?} at {cut}");
            assert_eq!(translator.finish().len(), 0, "nothing comes after the end");
        }
    }
}

#[test]
fn what_breaks_off_is_no_whole_answer() {
    for pair in conversations() {
        let (stream, _) = answer(pair.account);
        let mut collector = back(pair).collector();
        for batch in batches([&stream[..stream.len() / 2]]) {
            collector.push(&batch);
        }
        let said = collector.finish().expect_err("half an answer");
        assert_eq!(said.kind, "api_error", "{pair:?}");
        assert!(back(pair).whole(b"<html>").is_err(), "{pair:?}");
    }
}

#[test]
fn the_providers_own_error_is_told() {
    for (account, error) in [
        (
            Endpoint::Messages,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"too busy\"}}\n\n",
        ),
        (
            Endpoint::Responses,
            "event: error\ndata: {\"type\":\"error\",\"code\":\"server_is_overloaded\",\"message\":\"too busy\"}\n\n",
        ),
        (
            Endpoint::Chat,
            "data: {\"error\":{\"message\":\"too busy\",\"type\":\"server_error\"}}\n\n",
        ),
        (
            Endpoint::Generate,
            "data: {\"error\":{\"code\":503,\"message\":\"too busy\",\"status\":\"UNAVAILABLE\"}}\n\n",
        ),
    ] {
        for pair in conversations().filter(|pair| pair.account == account) {
            let told = streamed(&back(pair), [error.as_bytes()]);
            assert_eq!(ends(pair.client, &told), (false, true), "{pair:?}: {told}");
            assert!(told.contains("too busy"), "{pair:?}: {told}");
        }
    }
}

#[test]
fn a_pair_has_an_answer_of_its_own() {
    // So that the tests above are not all of one account.
    let all: Vec<_> = conversations().map(|pair: Pair| answer(pair.account).0).collect();
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), 4);
}
