//! Tokens: what the account states is what the client is told, in its own terms.

use relay_core::endpoint::Endpoint;
use relay_core::protocol::Protocol;
use serde_json::{Value, json};

use super::{answer, back, collected, conversations, data, streamed};

/// What the answers of all accounts state: a hundred tokens of input, of which a cache served 64
/// and, where the protocol can say so, kept 6; fifty of output, of which twenty are thought.
fn expected(client: Endpoint, account: Endpoint) -> Value {
    let kept = if account.protocol() == Protocol::Gemini { 0 } else { 6 };
    match client {
        // Fresh input stands beside what was cached.
        Endpoint::Messages => json!({
            "input_tokens": 36 - kept,
            "cache_creation_input_tokens": kept,
            "cache_read_input_tokens": 64,
            "cache_creation": {"ephemeral_5m_input_tokens": kept, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 50,
            "output_tokens_details": {"thinking_tokens": 20},
        }),
        // What was cached is part of the input.
        Endpoint::Responses => json!({
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": kept},
            "output_tokens": 50,
            "output_tokens_details": {"reasoning_tokens": 20},
            "total_tokens": 150,
        }),
        _ => json!({
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": kept},
            "completion_tokens_details": {"reasoning_tokens": 20},
        }),
    }
}

#[test]
fn tokens_are_the_same_in_every_pair() {
    for pair in conversations() {
        let expected = expected(pair.client, pair.account);
        let (stream, whole) = answer(pair.account);
        let back = back(pair);
        let told = super::json(&back.whole(whole).expect("an answer"));
        assert_eq!(told["usage"], expected, "whole, {pair:?}");
        assert_eq!(collected(&back, [stream])["usage"], expected, "collected, {pair:?}");
        let events = data(&streamed(&back, [stream]));
        let stated = events.iter().rev().find_map(|event| {
            [&event["usage"], &event["response"]["usage"]].into_iter().find(|it| it.is_object())
        });
        assert_eq!(stated, Some(&expected), "streamed, {pair:?}");
    }
}
