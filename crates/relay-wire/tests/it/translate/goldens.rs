//! What each pair makes of a request with everything in it, and of an answer.

use relay_core::endpoint::Endpoint;
use relay_wire::translate::{Host, Pair, pairs, request};

use super::translated;
use super::{answer, asker, back, conversations, everything, json, name_of, streamed, target};

#[test]
fn requests_go_there() {
    for pair in pairs() {
        let there = translated(pair, &everything(pair)).expect("a request that the pair carries");
        let body = serde_json::to_string_pretty(&json(&there.body)).expect("JSON");
        let name = format!("request_{}", name_of(pair));
        insta::assert_snapshot!(name, format!("{body}\n\nlost: {:?}", there.losses));
    }
}

#[test]
fn streams_come_back() {
    for pair in conversations() {
        let (stream, _) = answer(pair.account);
        insta::assert_snapshot!(
            format!("stream_{}", name_of(pair)),
            streamed(&back(pair), [stream])
        );
    }
}

#[test]
fn whole_answers_come_back() {
    for pair in conversations() {
        let (_, whole) = answer(pair.account);
        let told = json(&back(pair).whole(whole).expect("an answer"));
        let told = serde_json::to_string_pretty(&told).expect("JSON");
        insta::assert_snapshot!(format!("whole_{}", name_of(pair)), told);
    }
}

#[test]
fn services_of_a_provider_take_their_own_form() {
    let pair = Pair { client: Endpoint::Messages, account: Endpoint::Responses };
    let body = everything(pair);
    let chatgpt = target(pair.account, Host::ChatGpt);
    let there = request(asker(pair.client), chatgpt, &body).expect("a request");
    let told = json(&there.body);
    for none in ["max_output_tokens", "temperature", "top_p", "safety_identifier"] {
        assert_eq!(told.get(none), None, "{none}");
    }
    assert_eq!((&told["stream"], &told["store"]), (&true.into(), &false.into()));

    let pair = Pair { client: Endpoint::CountTokens, account: Endpoint::CountContents };
    let body = everything(pair);
    let assist = target(pair.account, Host::CodeAssist);
    let there = request(asker(pair.client), assist, &body).expect("a request");
    let told = json(&there.body);
    let members: Vec<&String> = told.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["contents"]);
}

#[test]
fn counts_come_back_as_a_number_of_claudes() {
    for (account, counted, told) in [
        (Endpoint::CountInput, r#"{"object":"response.input_tokens","input_tokens":11}"#, Some(11)),
        (Endpoint::CountContents, r#"{"totalTokens":12,"cachedContentTokenCount":3}"#, Some(12)),
        (Endpoint::CountContents, r#"{"input_tokens":12}"#, None),
        (Endpoint::CountInput, r#"{"input_tokens":"many"}"#, None),
        (Endpoint::CountInput, "no count", None),
    ] {
        let back = back(Pair { client: Endpoint::CountTokens, account });
        let body = back.count(counted.as_bytes()).map(|body| json(&body)["input_tokens"].as_u64());
        assert_eq!(body, told.map(Some), "{counted}");
    }
}

#[test]
fn stop_sequences_are_refused_where_there_are_none() {
    for client in [Endpoint::Messages, Endpoint::Chat, Endpoint::Completions] {
        let body = everything(Pair { client, account: Endpoint::Generate });
        let refused = translated(Pair { client, account: Endpoint::Responses }, &body);
        let told = refused.expect_err("stop sequences").to_string();
        assert!(told.contains("a text that ends the answer cannot be passed on"), "{told}");
    }
}

#[test]
fn pairs_that_are_none_are_refused() {
    let body = everything(Pair { client: Endpoint::Chat, account: Endpoint::Messages });
    for (client, account) in [
        (Endpoint::Embeddings, Endpoint::Messages),
        (Endpoint::Generate, Endpoint::Messages),
        (Endpoint::Chat, Endpoint::Embed),
    ] {
        let refused = translated(Pair { client, account }, &body).expect_err("no pair");
        assert!(refused.unsupported().is_some(), "{refused}");
    }
}
