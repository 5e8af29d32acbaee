//! Which address leads where.

use relay_testkit::{FakeProvider, Received};

use super::{MESSAGES, anthropic_error, gemini_error, hello, openai_error};
use crate::kit::TestRelay;

const PREFIXES: [&str; 5] = ["", "/api", "/claude", "/openai/claude", "/api/claude"];

/// A request without a body.
async fn plain(relay: &TestRelay, method: &str, path: &str, headers: &[(&str, &str)]) -> Received {
    relay.client.request(method, path, headers, "").await.collect().await
}

#[tokio::test]
async fn every_prefix_leads_to_every_address_of_the_family() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    for prefix in PREFIXES {
        let path = |rest: &str| format!("{prefix}{rest}");
        for messages in
            ["/v1/messages", "//v1//messages", "/v1/messages/", "/v1/messages?beta=true"]
        {
            let answer = relay.client.post(&path(messages), &[], hello()).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, "hi"), "{prefix}{messages}");
        }
        for counts in ["/v1/messages/count_tokens", "//v1/messages/count_tokens/?beta=true"] {
            let answer = relay.client.post(&path(counts), &[], hello()).await;
            assert!(answer.json()["input_tokens"].is_u64(), "{prefix}{counts}");
        }
        for models in ["/v1/models", "/v1/models/", "//v1/models?limit=1000"] {
            let answer = relay.client.get(&path(models), &[]).await;
            assert_eq!(answer.json()["object"], "list", "{prefix}{models}");
        }
        for model in ["/v1/models/claude-opus-4-8", "//v1//models//claude-opus-4-8/"] {
            let answer = relay.client.get(&path(model), &[]).await;
            assert_eq!(answer.json()["id"], "claude-opus-4-8", "{prefix}{model}");
        }
    }
    assert_eq!(provider.requests().iter().filter(|seen| seen.is_message()).count(), 20);
}

#[tokio::test]
async fn a_sign_of_life_needs_no_key() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let stranger = relay_testkit::Client::new(&relay.base_url);
    for prefix in &PREFIXES[1..] {
        for path in [prefix.to_string(), format!("{prefix}/"), format!("{prefix}//")] {
            assert_eq!(stranger.head(&path, &[]).await.status, 200, "HEAD {path}");
            let answer = stranger.get(&path, &[("user-agent", "Bun/1.2")]).await;
            assert_eq!((answer.status, &answer.body[..]), (200, &br#"{"status":"ok"}"#[..]));
        }
    }
    assert!(provider.requests().is_empty());
    assert!(relay.app.refusals.latest().is_empty(), "nothing was refused");
}

#[tokio::test]
async fn an_unknown_address_is_told_in_its_familys_shape() {
    let relay = TestRelay::start([], &[]).await;
    let post = async |path: &str| relay.client.post(path, &[], hello()).await;
    for path in [
        "/api/v1/nowhere",
        "/api/v1/messages/batches",
        "/api/v1/files",
        "/claude/v2",
        "/api/claude/v1/x",
        "/v1/messages/batches",
        "/v1/messages/batches/b_1/results",
        "/openai/claude/v1/messages/batches",
        "/droid/claude/v1/messages",
    ] {
        let answer = post(path).await;
        let told = anthropic_error(&answer, 404, "not_found_error");
        assert!(told.contains("address"), "{path}: {told}");
        assert_eq!(answer.header("x-should-retry"), "false", "{path}");
    }
    let marked = post("/v1/files").await;
    anthropic_error(&marked, 404, "not_found_error");
    let unmarked = relay_testkit::Client::new(&relay.base_url).post("/v1/files", &[], "").await;
    openai_error(&unmarked, 404);
    for path in [
        "/openai/v1/nowhere",
        "/openai",
        "/openai/gemini/v1/x",
        "/azure/openai/deployments/x/chat/completions",
        "/azure/responses",
        "/droid/openai/v1/responses",
        "/openai/v1/files",
    ] {
        assert!(openai_error(&post(path).await, 404).contains("address"), "{path}");
    }
    for path in ["/gemini", "/gemini/v1beta/models/x:batch", "/gemini/v1internal:x", "/v1beta/x"] {
        assert!(gemini_error(&post(path).await, 404).contains("address"), "{path}");
    }
}

#[tokio::test]
async fn names_that_only_begin_like_a_prefix_are_nobodys() {
    let relay = TestRelay::start([], &[]).await;
    for path in ["/apiary/v1/messages", "/claudette", "/api2/v1/models", "/nowhere", "/v2/messages"]
    {
        let answer = plain(&relay, "GET", path, &[]).await;
        assert_eq!((answer.status, &answer.body[..]), (404, &br#"{"error":"not found"}"#[..]));
        assert!(answer.header("x-crs-request-id").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told() {
    let relay = TestRelay::start([], &[]).await;
    for prefix in PREFIXES {
        for (method, path) in [
            ("GET", "/v1/messages"),
            ("DELETE", "/v1/messages"),
            ("PUT", "/v1/messages/count_tokens"),
            ("POST", "/v1/models/claude-opus-4-8"),
        ] {
            let answer = plain(&relay, method, &format!("{prefix}{path}"), &[]).await;
            assert_eq!(answer.status, 405, "{method} {prefix}{path}");
            assert!(
                answer.json()["error"]["message"].as_str().is_some_and(|it| it.contains("method"))
            );
        }
    }
    let answer = plain(&relay, "GET", MESSAGES, &[]).await;
    anthropic_error(&answer, 405, "invalid_request_error");
}

#[tokio::test]
async fn a_web_socket_is_refused_with_426_so_that_clients_fall_back_at_once() {
    let relay = TestRelay::start([], &[]).await;
    let upgrade = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let answer = plain(&relay, "GET", MESSAGES, &upgrade).await;
    anthropic_error(&answer, 426, "invalid_request_error");
    for path in ["/openai/v1/chat/completions", "/v1/embeddings"] {
        openai_error(&plain(&relay, "GET", path, &upgrade).await, 426);
    }
}

#[tokio::test]
async fn the_operators_addresses_are_shut() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let (_, key) = relay.add_secret("no admin").await;
    let bearer = format!("Bearer {key}");
    for path in [
        "/admin",
        "/admin/",
        "/admin/keys",
        "/admin/openapi.json",
        "/admin/session/x/../y",
        "/metrics",
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            for headers in [&[][..], &[("authorization", bearer.as_str()), ("cookie", "session=x")]]
            {
                assert_eq!(
                    plain(&relay, method, path, headers).await.status,
                    401,
                    "{method} {path}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_pages_addresses_lead_to_the_page() {
    let relay = TestRelay::start([], &[]).await;
    for path in ["/", "/admin-next", "/admin-next/", "/admin-next/api-stats"] {
        let answer = plain(&relay, "GET", path, &[]).await;
        assert_eq!((answer.status, answer.header("location")), (302, "/web"), "{path}");
    }
    for path in ["/web", "/web/", "/web/stats"] {
        let answer = plain(&relay, "GET", path, &[]).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("content-type").starts_with("text/html"), "{path}");
    }
}

#[tokio::test]
async fn health_says_no_more_than_that() {
    let relay = TestRelay::start([], &[]).await;
    let stranger = relay_testkit::Client::new(&relay.base_url);
    let answer = stranger.get("/health", &[]).await;
    assert_eq!((answer.status, &answer.body[..]), (200, &br#"{"status":"ok"}"#[..]));
    assert_eq!(stranger.head("/health", &[]).await.status, 200);
}
