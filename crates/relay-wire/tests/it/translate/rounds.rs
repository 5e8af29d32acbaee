//! The next turn: a client gives back what it got.

use relay_core::endpoint::Endpoint;
use relay_wire::hub::Loss;
use relay_wire::translate::{Pair, Translated};
use serde_json::{Value, json};

use super::{answer, back, json as parsed, translated};

/// The second turn of a client of Messages that got its first answer from `account`.
fn of_messages(account: Endpoint) -> Value {
    let (_, whole) = answer(account);
    let told = back(Pair { client: Endpoint::Messages, account }).whole(whole);
    let told = parsed(&told.expect("an answer"));
    let result =
        |call: &Value| json!({"type": "tool_result", "tool_use_id": call["id"], "content": "ok"});
    let calls = told["content"].as_array().expect("blocks").iter();
    let results: Vec<_> = calls.filter(|it| it["type"] == "tool_use").map(result).collect();
    json!({"model": "m", "max_tokens": 100, "thinking": {"type": "adaptive"}, "messages": [
        {"role": "user", "content": "How is the weather?"},
        {"role": "assistant", "content": told["content"]},
        {"role": "user", "content": results},
    ]})
}

/// The same of a client of Responses, which keeps nothing stored.
fn of_responses(account: Endpoint) -> Value {
    let (_, whole) = answer(account);
    let told = back(Pair { client: Endpoint::Responses, account }).whole(whole);
    let told = parsed(&told.expect("an answer"));
    let output = told["output"].as_array().expect("items").clone();
    let result = |call: &Value| json!({"type": "function_call_output", "call_id": call["call_id"], "output": "ok"});
    let calls = output.iter().filter(|it| it["type"] == "function_call");
    let results: Vec<_> = calls.map(result).collect();
    let mut input = vec![json!({"role": "user", "content": "How is the weather?"})];
    input.extend(output);
    input.extend(results);
    json!({"model": "m", "input": input, "store": false})
}

fn next(client: Endpoint, body: &Value, account: Endpoint) -> Translated {
    let pair = Pair { client, account };
    translated(pair, body.to_string().as_bytes()).expect("a second turn")
}

#[test]
fn a_client_of_messages_gives_thoughts_back_to_who_thought_them() {
    let body = of_messages(Endpoint::Responses);
    assert!(body.to_string().contains("crs1:responses:"), "{body}");
    let there = next(Endpoint::Messages, &body, Endpoint::Responses);
    assert!(!there.losses.contains(&Loss::Seals), "{:?}", there.losses);
    let items = parsed(&there.body)["input"].clone();
    assert_eq!(
        items[1],
        json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "c2VhbA==",
            "summary": [{"type": "summary_text", "text": "Weighing it."}]})
    );
    let ids = |kind: &str| -> Vec<Value> {
        let items = items.as_array().expect("items").iter();
        items.filter(|it| it["type"] == kind).map(|it| it["call_id"].clone()).collect()
    };
    assert_eq!(ids("function_call"), ["call_a", "call_b"], "the calls have their own names again");
    assert_eq!(ids("function_call_output"), ["call_a", "call_b"]);

    let body = of_messages(Endpoint::Generate);
    let there = next(Endpoint::Messages, &body, Endpoint::Generate);
    assert!(!there.losses.contains(&Loss::Seals), "{:?}", there.losses);
    let parts = parsed(&there.body)["contents"][1]["parts"].clone();
    let calls: Vec<_> = parts.as_array().expect("parts").iter().collect();
    let sealed: Vec<_> = calls.iter().filter(|it| it["thoughtSignature"] == "c2VhbA==").collect();
    assert_eq!(sealed.len(), 1, "{parts}");
    assert!(!there.body.escape_ascii().to_string().contains("skip_thought"), "{parts}");
}

#[test]
fn a_client_of_responses_gives_thoughts_back_to_who_thought_them() {
    let body = of_responses(Endpoint::Messages);
    assert!(body.to_string().contains("crs1:messages:"), "{body}");
    let there = next(Endpoint::Responses, &body, Endpoint::Messages);
    assert!(!there.losses.contains(&Loss::Seals), "{:?}", there.losses);
    let content = parsed(&there.body)["messages"][1]["content"].clone();
    assert_eq!(
        content[0],
        json!({"type": "thinking", "thinking": "Weighing it.", "signature": "c2VhbA=="})
    );

    let body = of_responses(Endpoint::Generate);
    let there = next(Endpoint::Responses, &body, Endpoint::Generate);
    assert!(!there.losses.contains(&Loss::Seals), "{:?}", there.losses);
    assert!(parsed(&there.body).to_string().contains(r#""thoughtSignature":"c2VhbA==""#));
}

#[test]
fn a_chat_client_keeps_the_seal_of_googles_calls() {
    let pair = Pair { client: Endpoint::Chat, account: Endpoint::Generate };
    let (_, whole) = answer(pair.account);
    let told = parsed(&back(pair).whole(whole).expect("an answer"));
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "How is the weather?"},
        told["choices"][0]["message"],
        {"role": "tool", "tool_call_id": "fc-a", "content": "ok"},
        {"role": "tool", "tool_call_id": "fc-b", "content": "ok"},
    ]});
    let there = next(pair.client, &body, pair.account);
    assert!(!there.losses.contains(&Loss::Seals), "{:?}", there.losses);
    let parts = parsed(&there.body)["contents"][1]["parts"].to_string();
    assert!(parts.contains(r#""thoughtSignature":"c2VhbA==""#), "{parts}");
}

#[test]
fn others_are_not_shown_what_is_sealed_and_it_is_told_as_lost() {
    let bodies = [
        (Endpoint::Messages, of_messages(Endpoint::Responses), Endpoint::Generate),
        (Endpoint::Messages, of_messages(Endpoint::Responses), Endpoint::Chat),
        (Endpoint::Messages, of_messages(Endpoint::Generate), Endpoint::Responses),
        (Endpoint::Responses, of_responses(Endpoint::Messages), Endpoint::Generate),
        (Endpoint::Responses, of_responses(Endpoint::Generate), Endpoint::Messages),
        (Endpoint::Responses, of_responses(Endpoint::Messages), Endpoint::Chat),
    ];
    for (client, body, account) in bodies {
        let there = next(client, &body, account);
        assert!(there.losses.contains(&Loss::Seals), "{client:?} {account:?} {:?}", there.losses);
        let sent = there.body.escape_ascii().to_string();
        assert!(!sent.contains("c2VhbA==") && !sent.contains("crs1:"), "{client:?}: {sent}");
    }
}
