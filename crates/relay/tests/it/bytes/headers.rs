//! Which headers and queries pass, in either direction.

use relay_core::account::ExtraHeader;
use relay_core::key::{Binding, BindingTarget};
use relay_core::protocol::Service;
use relay_store::accounts::NewAccount;
use relay_store::keys::KeyChange;
use relay_testkit::{Answer, Client, FakeProvider, Received, SeenRequest, messages_body};

use crate::kit::{TestRelay, account};

const MESSAGES: &str = "/api/v1/messages";

fn hello() -> relay_testkit::MessagesBody {
    messages_body("claude-sonnet-4-6", "[[say hi]]")
}

/// What reaches the provider of a call with these headers and this query.
async fn seen_of(path: &str, headers: &[(&str, &str)]) -> SeenRequest {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let (_, key) = relay.add_secret("bare").await;
    let client = Client::new(&relay.base_url).header("x-api-key", &key);
    let answer = client.post(path, headers, hello()).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    provider.requests().remove(0)
}

#[tokio::test]
async fn a_clients_key_never_goes_up_wherever_it_stands() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let (_, key) = relay.add_secret("everywhere").await;
    let bearer = format!("Bearer {key}");
    let cookie = format!("session={key}");
    let client = Client::new(&relay.base_url)
        .header("x-api-key", &key)
        .header("authorization", &bearer)
        .header("x-goog-api-key", &key)
        .header("api-key", &key)
        .header("proxy-authorization", &bearer)
        .header("cookie", &cookie)
        .header("x-forwarded-authorization", &bearer)
        .header("x-auth-token", &key)
        .header("referer", &format!("http://host/?key={key}"));
    let paths = [
        format!("{MESSAGES}?key={key}"),
        format!("{MESSAGES}?beta=true&key={key}"),
        format!("{MESSAGES}?key={key}&beta=true&key={key}"),
        format!("{MESSAGES}?%6Bey={key}&beta=true"),
        format!("{MESSAGES}?k%65y={key}"),
        format!("{MESSAGES}?Key={key}&api_key={key}&x-api-key={key}"),
    ];
    for path in &paths {
        assert_eq!(client.post(path, &[], hello()).await.status, 200);
        let counting = path.replace(MESSAGES, "/v1/messages/count_tokens");
        assert_eq!(client.post(&counting, &[], hello()).await.status, 200);
    }
    assert_eq!(client.get(&format!("/v1/models?key={key}"), &[]).await.status, 200);
    let requests = provider.requests();
    assert_eq!(requests.len(), 2 * paths.len() + 1);
    for seen in requests {
        assert!(!seen.path_and_query.contains(&key), "{}", seen.path_and_query);
        for (name, value) in &seen.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            assert!(!value.contains(&key), "{name} of {}", seen.path_and_query);
        }
        assert_eq!(seen.api_key, "upstream-a");
    }
}

#[tokio::test]
async fn what_clients_need_goes_up_and_their_surroundings_stay() {
    let kept = [
        ("accept", "application/json"),
        ("accept-language", "zh-CN,zh;q=0.9"),
        ("anthropic-dangerous-direct-browser-access", "true"),
        ("anthropic-version", "2026-10-21"),
        ("content-type", "application/json; charset=utf-8"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("user-agent", "claude-cli/2.1.197 (external, cli)"),
        ("x-app", "cli"),
        ("x-claude-code-session-id", "5f0c"),
        ("x-stainless-lang", "js"),
        ("x-stainless-retry-count", "0"),
    ];
    let dropped = [
        ("accept-encoding", "gzip, br, zstd"),
        ("cf-connecting-ip", "10.0.0.1"),
        ("connection", "keep-alive, x-app"),
        ("forwarded", "for=10.0.0.1"),
        ("keep-alive", "timeout=5"),
        ("origin", "https://page.example"),
        ("te", "trailers"),
        ("via", "1.1 proxy"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-host", "relay.example"),
        ("x-real-ip", "10.0.0.1"),
        ("x-session-id", "mine"),
        ("x-unknown", "1"),
    ];
    let all: Vec<_> = kept.iter().chain(&dropped).copied().collect();
    let seen = seen_of(MESSAGES, &all).await;
    for (name, value) in kept {
        assert_eq!(seen.header(name), value, "{name}");
    }
    for (name, value) in dropped {
        assert_ne!(seen.header(name), value, "{name}");
    }
    let own = ["accept-encoding", "authorization", "content-length", "host"];
    for name in seen.headers.keys().map(http::HeaderName::as_str) {
        let known = kept.iter().any(|(kept, _)| *kept == name) || own.contains(&name);
        assert!(known, "{name} went up");
    }
    assert_eq!(seen.header("accept-encoding"), "identity");
}

#[tokio::test]
async fn repeated_betas_survive_and_a_missing_version_is_added() {
    let betas = [
        ("anthropic-beta", "claude-code-20250219,context-1m-2025-08-07"),
        ("anthropic-beta", "effort-2025-11-24"),
    ];
    let seen = seen_of(MESSAGES, &betas).await;
    let got: Vec<_> = seen.headers.get_all("anthropic-beta").iter().collect();
    assert_eq!(got, [betas[0].1, betas[1].1]);
    assert_eq!(seen.header("anthropic-version"), "2023-06-01");
}

#[tokio::test]
async fn the_query_goes_up_as_it_was_sent() {
    let target = |seen: SeenRequest| seen.path_and_query;
    let path = |query: &str| format!("/claude//v1/messages/{query}");
    assert_eq!(target(seen_of(&path("?beta=true"), &[]).await), "/v1/messages?beta=true");
    assert_eq!(target(seen_of(&path(""), &[]).await), "/v1/messages");
    assert_eq!(target(seen_of(&path("?"), &[]).await), "/v1/messages");
    assert_eq!(
        target(seen_of(&path("?a=%E4%BD%A0&monkey=1&b=x+y&flag"), &[]).await),
        "/v1/messages?a=%E4%BD%A0&monkey=1&b=x+y&flag"
    );
}

#[tokio::test]
async fn an_accounts_own_headers_go_up_in_place_of_the_clients() {
    let provider = FakeProvider::start().await;
    let extra = |name: &str, value: &str| ExtraHeader { name: name.into(), value: value.into() };
    let extra_headers = vec![extra("x-team", "blue"), extra("anthropic-beta", "own")];
    let relay =
        TestRelay::start([NewAccount { extra_headers, ..account("a", &provider) }], &[]).await;
    relay.client.post(MESSAGES, &[("anthropic-beta", "theirs")], hello()).await;
    let seen = provider.requests().remove(0);
    assert_eq!((seen.header("x-team"), seen.header("anthropic-beta")), ("blue", "own"));
}

/// What the client sees of an answer with everything that providers add.
async fn shown(relay: &TestRelay, client: &Client, streamed: bool) -> Received {
    let body = hello().stream(streamed);
    let answer = client.post(MESSAGES, &[], body).await;
    relay.app.shutdown.until_no_call_is_open().await;
    answer
}

#[tokio::test]
async fn what_tells_of_the_account_stays_behind() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let refusal = Answer::anthropic_error(400, "invalid_request_error", "no");
    provider.answers_once(Answer::well().provider_headers());
    provider.answers_once(Answer::well().provider_headers());
    provider.answers_once(refusal.provider_headers());
    for streamed in [true, false, false] {
        let answer = shown(&relay, &relay.client, streamed).await;
        assert!(answer.header("request-id").starts_with("req_fake_"));
        let ours = [
            "access-control-allow-origin",
            "access-control-expose-headers",
            "cache-control",
            "content-length",
            "content-type",
            "date",
            "request-id",
            "server-timing",
            "transfer-encoding",
            "x-accel-buffering",
            "x-crs-request-id",
        ];
        for name in answer.headers.keys() {
            assert!(ours.contains(&name.as_str()), "{name} came down");
        }
    }
}

#[tokio::test]
async fn limits_come_down_to_a_key_that_is_bound_to_the_account() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let (id, client) = relay.add_key("bound").await;
    let target = BindingTarget::Account(relay.account_id("a").await);
    let bindings = vec![Binding { service: Service::Claude, target }];
    relay.change_key(id, KeyChange { bindings: Some(bindings), ..KeyChange::default() }).await;
    provider.answers_always(Answer::well().provider_headers());
    for streamed in [true, false] {
        let answer = shown(&relay, &client, streamed).await;
        assert_eq!(answer.header("anthropic-ratelimit-requests-limit"), "4000");
        assert_eq!(answer.header("anthropic-ratelimit-unified-5h-utilization"), "0.25");
        for hidden in ["set-cookie", "cf-ray", "anthropic-organization-id", "x-future-header"] {
            assert!(answer.header(hidden).is_empty(), "{hidden}");
        }
        let other = shown(&relay, &relay.client, streamed).await;
        assert!(other.header("anthropic-ratelimit-requests-limit").is_empty());
    }
}
