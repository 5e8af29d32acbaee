//! What is refused is told in the shape of the client's protocol, with the status and the wait that
//! are true.

use std::time::Duration;

use relay_core::usage::Outcome;
use relay_testkit::responses_body;
use relay_testkit::{Answer, Client, FakeProvider, Received, chat_body, messages_body};
use serde_json::{Value, json};

use super::{ASKED, PAIRS, Spoken, Upstream, asked, change, is_of, limits, relay, rules};
use crate::kit::TestRelay;

async fn site(upstream: Upstream, names: &[&str]) -> (FakeProvider, TestRelay) {
    let provider = FakeProvider::start().await;
    let relay = relay(&provider, upstream, names, &[]).await;
    (provider, relay)
}

/// Demands that an answer is an error of this status, as such clients read errors.
fn assert_error(spoken: Spoken, answer: &Received, (status, says): (u16, &str)) {
    let what = format!("{spoken:?}: {}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.status, status, "{what}");
    assert!(answer.header("content-type").starts_with("application/json"), "{what}");
    assert!(!answer.header("x-crs-request-id").is_empty(), "{what}");
    let body = answer.json();
    let error = &body["error"];
    assert!(error["message"].as_str().expect("a message").contains(says), "{what}");
    match spoken {
        Spoken::Messages => {
            let kind = match status {
                400 => "invalid_request_error",
                401 => "authentication_error",
                403 => "permission_error",
                429 => "rate_limit_error",
                529 => "overloaded_error",
                _ => "api_error",
            };
            assert_eq!((&body["type"], &error["type"]), (&json!("error"), &json!(kind)), "{what}");
        }
        Spoken::Chat | Spoken::Responses => {
            let kind = match status {
                403 => "permission_error",
                // A limit that does not pass in a moment, as Codex knows it.
                429 if error["resets_at"].is_i64() => "usage_limit_reached",
                429 => "rate_limit_error",
                400..=499 => "invalid_request_error",
                _ => "server_error",
            };
            assert_eq!(error["type"], kind, "{what}");
            assert!(error.get("param").is_some() && error.get("code").is_some(), "{what}");
        }
        Spoken::Gemini | Spoken::CodeAssist => {
            let name = match status {
                400 => "INVALID_ARGUMENT",
                401 => "UNAUTHENTICATED",
                403 => "PERMISSION_DENIED",
                429 => "RESOURCE_EXHAUSTED",
                503 => "UNAVAILABLE",
                _ => "INTERNAL",
            };
            assert_eq!(
                (&error["code"], &error["status"]),
                (&json!(status), &json!(name)),
                "{what}"
            );
        }
    }
}

/// Demands that a stream and a whole answer are refused so, and that nobody is asked for either.
async fn is_refused(
    (provider, relay): &(FakeProvider, TestRelay),
    client: &Client,
    spoken: Spoken,
    (told, wait): ((u16, &str), &str),
) {
    let before = asked(provider).len();
    for streamed in [true, false] {
        let answer = spoken.ask(client, "hello", streamed).await;
        assert_error(spoken, &answer, told);
        assert_eq!(answer.header("retry-after"), wait, "{spoken:?}: {told:?}");
    }
    assert_eq!(asked(provider).len(), before, "{spoken:?}: {told:?}");
    relay.until_all_is_given_back().await;
}

#[tokio::test]
async fn a_key_that_is_none() {
    for (spoken, upstream) in PAIRS {
        let site = site(upstream, &["a"]).await;
        let strange = "no-key-of-this-relay";
        let base = || Client::new(&site.1.base_url);
        let unknown = ((401, "not known"), "");
        for client in [base().openai(strange), base().google(strange), base().anthropic(strange)] {
            is_refused(&site, &client, spoken, unknown).await;
        }
        is_refused(&site, &base(), spoken, ((401, "no API key"), "")).await;
    }
}

#[tokio::test]
async fn a_key_that_may_not_call() {
    for (spoken, upstream) in PAIRS {
        let site = site(upstream, &["a"]).await;
        let (client, service) = (site.1.client.clone(), upstream.kind().service());
        let other = if service.as_str() == "claude" { "gemini" } else { "claude" };
        change(&site.1, rules(&json!({"services": [other]}))).await;
        is_refused(&site, &client, spoken, ((403, service.as_str()), "")).await;
        let denied = json!({"services": null, "denied_models": [upstream.model()]});
        change(&site.1, rules(&denied)).await;
        is_refused(&site, &client, spoken, ((403, upstream.model()), "")).await;
        change(&site.1, rules(&json!({"denied_models": null}))).await;
        assert_eq!(spoken.ask(&client, "hello", true).await.status, 200);
        let disabled = relay_store::keys::KeyChange { enabled: Some(false), ..Default::default() };
        change(&site.1, disabled).await;
        is_refused(&site, &client, spoken, ((401, "disabled"), "")).await;
    }
}

#[tokio::test]
async fn a_window_that_is_spent() {
    for (spoken, upstream) in PAIRS {
        let site = site(upstream, &["a"]).await;
        let client = site.1.client.clone();
        change(&site.1, limits(&json!({"window": {"seconds": 18_000, "requests": 1}}))).await;
        assert_eq!(spoken.ask(&client, "one", true).await.status, 200, "{spoken:?}");
        site.1.app.shutdown.until_no_call_is_open().await;
        let wait = spoken.ask(&client, "two", false).await.header("retry-after").to_owned();
        let seconds: u64 = wait.parse().expect("seconds");
        assert!((1..=18_000).contains(&seconds), "{seconds}");
        is_refused(&site, &client, spoken, ((429, "begins anew at"), &wait)).await;
        // So that no token has ended when the window does.
        if !upstream.kind().is_oauth() {
            site.1.clock.advance(Duration::from_secs(seconds - 1));
            is_refused(&site, &client, spoken, ((429, "begins anew at"), "1")).await;
            site.1.clock.advance(Duration::from_secs(1));
            assert_eq!(spoken.ask(&client, "three", true).await.status, 200, "{spoken:?}");
        }
    }
}

/// Both accounts answer so; the client is told this by the call that found out and by the next,
/// which asks nobody.
async fn all_rest(
    (spoken, upstream): (Spoken, Upstream),
    (a, b): (Answer, Answer),
    (status, says, wait): (u16, &str, &str),
) {
    for streamed in [true, false] {
        let what = format!("{spoken:?} on {upstream:?}, {streamed}, {status}");
        let (provider, relay) = site(upstream, &["a", "b"]).await;
        provider.answers_when(|seen| is_of(seen, "a"), a.clone());
        provider.answers_when(|seen| is_of(seen, "b"), b.clone());
        for _ in 0..2 {
            let answer = spoken.ask(&relay.client, "hello", streamed).await;
            assert_error(spoken, &answer, (status, says));
            assert_eq!(answer.header("retry-after"), wait, "{what}");
        }
        assert_eq!(asked(&provider), ["a", "b"], "{what}");
        let record = relay.only_record().await;
        assert_eq!((record.outcome, record.status), (Outcome::Failed, status), "{what}");
        relay.until_all_is_given_back().await;
    }
}

#[tokio::test]
async fn accounts_that_all_rest() {
    for (spoken, upstream) in PAIRS {
        let limited = (Answer::limited_for(90), Answer::limited_for(40));
        // Google counts in fractions of a second.
        let is_google = matches!(upstream, Upstream::Gemini | Upstream::CodeAssist);
        let wait = if is_google { "41" } else { "40" };
        all_rest((spoken, upstream), limited, (429, "able again in", wait)).await;
        let overloaded = || Answer::overloaded().header("retry-after", "30");
        let status = if spoken == Spoken::Messages { 529 } else { 503 };
        let both = (overloaded(), overloaded());
        all_rest((spoken, upstream), both, (status, "able again in", "30")).await;
    }
}

#[tokio::test]
async fn an_upstreams_refusal_of_the_call_is_passed_on_as_it_is_or_in_the_clients_shape() {
    for (spoken, upstream) in PAIRS {
        let native = matches!(
            (spoken, upstream),
            (Spoken::Messages, Upstream::ClaudeApi)
                | (Spoken::Chat | Spoken::Responses, Upstream::Openai)
                | (Spoken::Responses, Upstream::ChatGpt)
                | (Spoken::Gemini | Spoken::CodeAssist, _)
        );
        for streamed in [true, false] {
            let what = format!("{spoken:?} on {upstream:?}, {streamed}");
            let (provider, relay) = site(upstream, &["a", "b"]).await;
            provider.answers_always(Answer::refused_with(400, "prompt is too long"));
            let answer = spoken.ask(&relay.client, "hello", streamed).await;
            assert_error(spoken, &answer, (400, "prompt is too long"));
            provider.until_idle().await;
            assert_eq!(answer.body == provider.served()[0].body, native, "{what}");
            assert_eq!(asked(&provider), ["a"], "{what}");
            assert!(!relay.rests("a").await, "{what}");
            let record = relay.only_record().await;
            assert_eq!((record.outcome, record.status), (Outcome::Rejected, 400), "{what}");
            assert_eq!(record.usage.context() + record.usage.output, 0, "{what}");
        }
    }
}

#[tokio::test]
async fn what_chatgpt_refuses_in_its_own_way_is_told_in_the_clients_shape() {
    for spoken in [Spoken::Chat, Spoken::Messages] {
        let (provider, relay) = site(Upstream::ChatGpt, &["a"]).await;
        let refused = Answer::status(400).json(&json!({"detail": "Unsupported content: words"}));
        provider.answers_always(refused);
        let answer = spoken.ask(&relay.client, "hello", true).await;
        assert_error(spoken, &answer, (400, "Unsupported content: words"));
    }
}

#[tokio::test]
async fn what_cannot_be_carried_is_refused_by_its_name() {
    let chat = "/openai/v1/chat/completions";
    let set = |field: &str, value: Value| chat_body(ASKED, "hello").set(field, value).bytes();
    let messages = messages_body(ASKED, "hello").set("container", json!("box")).bytes();
    let responses = responses_body(ASKED, "hello").set("background", json!(true)).bytes();
    for (spoken, upstream, path, body, field) in [
        (Spoken::Messages, Upstream::OpenaiResponses, "/api/v1/messages", messages, "container"),
        (Spoken::Responses, Upstream::ClaudeApi, "/openai/responses", responses, "background"),
        (Spoken::Chat, Upstream::ClaudeApi, chat, set("n", json!(2)), "n cannot"),
        (Spoken::Chat, Upstream::Gemini, chat, set("prediction", json!({"a": 1})), "prediction"),
        (Spoken::Chat, Upstream::ChatGpt, chat, set("x_odd", json!(1)), "x_odd"),
    ] {
        let (provider, relay) = site(upstream, &["a", "b"]).await;
        let answer = relay.client.post(path, &[], body).await;
        assert_error(spoken, &answer, (400, field));
        assert_eq!(answer.header("x-should-retry"), "false", "{field}");
        assert_eq!(asked(&provider), [""; 0], "{field}");
        assert!(!relay.rests("a").await, "{field}");
        relay.until_all_is_given_back().await;
    }
}

#[tokio::test]
async fn an_answer_that_is_not_stored_is_told_so_that_clients_send_everything_again() {
    for upstream in [Upstream::ClaudeApi, Upstream::Gemini] {
        let (provider, relay) = site(upstream, &["a"]).await;
        let body = responses_body(ASKED, "hello").set("previous_response_id", json!("resp_1"));
        let answer = relay.client.post("/openai/responses", &[], body).await;
        assert_error(Spoken::Responses, &answer, (400, "'resp_1' not found"));
        let error = answer.json()["error"].clone();
        assert_eq!(error["code"], "previous_response_not_found");
        assert_eq!(error["param"], "previous_response_id");
        assert_eq!(asked(&provider), [""; 0]);
    }
}
