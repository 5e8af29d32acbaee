//! Which addresses any web page may call.

use relay_testkit::{Answer, Client, FakeProvider, Received};

use super::{MESSAGES, hello};
use crate::kit::TestRelay;

const ORIGIN: (&str, &str) = ("origin", "https://page.example");

fn cors_names(answer: &Received) -> Vec<String> {
    let names = answer.headers.keys().map(ToString::to_string);
    names.filter(|name| name.starts_with("access-control")).collect()
}

async fn preflight(relay: &TestRelay, path: &str) -> Received {
    let stranger = Client::new(&relay.base_url);
    let asked = [
        ORIGIN,
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,x-api-key,x-stainless-os"),
    ];
    stranger.request("OPTIONS", path, &asked, "").await.collect().await
}

#[tokio::test]
async fn a_preflight_allows_what_is_asked_for_without_a_key() {
    let relay = TestRelay::start([], &[]).await;
    for path in [
        MESSAGES,
        "/v1/messages",
        "/openai/responses",
        "/gemini/v1beta/models",
        "/api",
        "/api/v1/x",
    ] {
        let answer = preflight(&relay, path).await;
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(
            answer.header("access-control-allow-headers"),
            "authorization,x-api-key,x-stainless-os"
        );
        assert!(answer.header("access-control-allow-methods").contains("POST"));
        assert!(answer.header("access-control-allow-credentials").is_empty());
    }
}

#[tokio::test]
async fn every_answer_to_a_client_can_be_read_by_any_page() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let upstream = Answer::well().header("access-control-allow-origin", "https://only.example");
    provider.answers_once(upstream);
    let answers = [
        relay.client.post(MESSAGES, &[ORIGIN], hello()).await,
        relay.client.post(MESSAGES, &[ORIGIN], hello().stream(true)).await,
        relay.client.post(MESSAGES, &[ORIGIN, ("x-api-key", "wrong")], hello()).await,
        relay.client.post(MESSAGES, &[ORIGIN], "no JSON").await,
        relay.client.post("/api/v1/nowhere", &[ORIGIN], "").await,
        relay.client.get("/v1/models", &[ORIGIN]).await,
    ];
    let statuses = answers.each_ref().map(|answer| answer.status);
    assert_eq!(statuses, [200, 200, 401, 400, 404, 200]);
    for answer in answers {
        let origins: Vec<_> =
            answer.headers.get_all("access-control-allow-origin").iter().collect();
        assert_eq!(origins, ["*"]);
        assert_eq!(answer.header("access-control-expose-headers"), "*");
        assert!(answer.header("access-control-allow-credentials").is_empty());
    }
}

#[tokio::test]
async fn the_relays_own_addresses_are_read_by_no_other_page() {
    let relay = TestRelay::start([], &[]).await;
    for path in [
        "/admin",
        "/admin/keys",
        "/admin/session",
        "/web",
        "/web/stats",
        "/health",
        "/metrics",
        "/",
        "/nowhere",
    ] {
        assert_eq!(cors_names(&preflight(&relay, path).await), [""; 0], "OPTIONS {path}");
        assert_eq!(cors_names(&relay.client.get(path, &[ORIGIN]).await), [""; 0], "GET {path}");
    }
}

#[tokio::test]
async fn switched_off_it_is_off_everywhere() {
    let provider = FakeProvider::start().await;
    let settings = [("ENABLE_CORS", "false")];
    let relay = TestRelay::start([crate::kit::account("a", &provider)], &settings).await;
    let refused = preflight(&relay, MESSAGES).await;
    assert_eq!((refused.status, cors_names(&refused)), (405, Vec::new()));
    let answer = relay.client.post(MESSAGES, &[ORIGIN], hello()).await;
    assert_eq!((answer.status, cors_names(&answer)), (200, Vec::new()));
}
