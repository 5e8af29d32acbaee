//! The provider's sign-in: tokens, their rotation, and what they open.

mod realms;
mod refreshing;

use std::sync::Arc;
use std::time::Duration;

use relay_core::clock::{ManualClock, Timestamp};
use relay_testkit::{Answer, Client, FakeProvider, Received, messages_body};
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_hours(1);
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
/// What RFC 7636 gives as an example: a verifier, and its challenge.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A provider that goes by a clock of the test.
async fn provider() -> (FakeProvider, Arc<ManualClock>) {
    let provider = FakeProvider::start().await;
    let clock = Arc::new(ManualClock::new(NOW));
    provider.tells_time_by(clock.clone());
    (provider, clock)
}

/// A client with an issued token.
fn bearer(provider: &FakeProvider, token: &str) -> Client {
    Client::new(&provider.base_url())
        .header("authorization", &format!("Bearer {token}"))
        .header("anthropic-version", "2023-06-01")
        .header("anthropic-beta", "one-2025-01-01, oauth-2025-04-20")
}

async fn say(client: &Client) -> Received {
    client.post("/v1/messages", &[], messages_body("m", "[[say hi]]")).await
}

/// The status and the message of an error in the provider's shape.
fn error(received: &Received) -> (u16, String) {
    let message = received.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
    (received.status, message)
}

async fn token(provider: &FakeProvider, body: &Value) -> Received {
    let json = [("content-type", "application/json")];
    Client::new(&provider.base_url()).post("/v1/oauth/token", &json, body.to_string()).await
}

async fn refresh(provider: &FakeProvider, refresh_token: &str) -> Received {
    token(provider, &refresh_body(refresh_token)).await
}

fn refresh_body(refresh_token: &str) -> Value {
    json!({"grant_type": "refresh_token", "client_id": "c", "refresh_token": refresh_token})
}

#[tokio::test]
async fn nothing_changes_before_somebody_signs_in() {
    let provider = FakeProvider::start().await;
    let client = bearer(&provider, "access-a-000001");
    assert_eq!(say(&client).await.text(), "hi");
    assert_eq!(client.get("/api/oauth/usage", &[]).await.status, 404);
    assert_eq!(client.post("/v1/oauth/token", &[], "{}").await.status, 404);
    assert_eq!((provider.requests()[0].owner.as_str(), provider.reused()), ("", 0));
}

#[tokio::test]
async fn a_token_opens_its_doors_until_it_expires_or_is_revoked() {
    const EXPIRED: &str =
        "OAuth token has expired. Please obtain a new token or refresh your existing token.";
    let (provider, clock) = provider().await;
    let tokens = provider.issues("a", HOUR);
    assert_eq!(tokens.expires_at_millis, NOW.plus(HOUR).as_millis());
    assert_eq!(
        serde_json::from_str::<Value>(&tokens.to_json()).unwrap(),
        json!({
            "access_token": "access-a-000001", "refresh_token": "refresh-a-000001",
            "expires_at": 1_800_003_600_000_u64,
        })
    );
    let client = bearer(&provider, &tokens.access_token);
    assert_eq!(say(&client).await.text(), "hi");
    let seen = provider.requests().remove(0);
    assert_eq!((seen.owner.as_str(), seen.api_key.as_str()), ("a", "access-a-000001"));
    assert_eq!(seen.beta, ["one-2025-01-01", "oauth-2025-04-20"]);
    provider.until_idle().await;
    assert_eq!(provider.served()[0].owner, "a");

    let unknown = bearer(&provider, "access-a-999999");
    for path in ["/v1/models", "/api/oauth/profile", "/api/oauth/usage"] {
        assert_eq!(client.get(path, &[]).await.status, 200, "{path}");
        assert_eq!(error(&unknown.get(path, &[]).await), (401, EXPIRED.to_owned()), "{path}");
    }
    assert_eq!(error(&say(&unknown).await), (401, EXPIRED.to_owned()));
    let counted = messages_body("m", "x");
    assert_eq!(unknown.post("/v1/messages/count_tokens", &[], counted).await.status, 401);

    clock.set(NOW.plus(HOUR).minus(Duration::from_millis(1)));
    assert_eq!(say(&client).await.status, 200);
    clock.advance(Duration::from_millis(1));
    assert_eq!(error(&say(&client).await), (401, EXPIRED.to_owned()));
    let other = bearer(&provider, &provider.issues("a", HOUR).access_token);
    assert_eq!(say(&other).await.status, 200);
    provider.revoke_access("a");
    assert_eq!(error(&say(&other).await), (401, EXPIRED.to_owned()));
    assert_eq!(say(&Client::new(&provider.base_url()).anthropic("key")).await.status, 200);
}

#[tokio::test]
async fn a_token_in_the_wrong_place_or_without_the_beta_is_refused() {
    let (provider, _) = provider().await;
    let token = provider.issues("a", HOUR).access_token;
    let no_beta = bearer(&provider, &token).header("anthropic-beta", "x");
    let no_beta = no_beta.post("/v1/messages", &[("anthropic-beta", "x")], "{}").await;
    let message = "OAuth authentication is currently not supported.";
    assert_eq!(error(&no_beta), (401, message.to_owned()));
    let as_key = Client::new(&provider.base_url()).anthropic(&token);
    assert_eq!(error(&say(&as_key).await), (401, "invalid x-api-key".to_owned()));

    provider.accepts_only_claude_code();
    let client = bearer(&provider, &token);
    let refused = say(&client).await;
    assert_eq!(
        (refused.status, &refused.json()["error"]["type"]),
        (400, &json!("invalid_request_error"))
    );
    assert!(
        error(&refused).1.starts_with("This credential is only authorized for use with Claude")
    );
    assert_eq!(say(&client.clone().header("user-agent", "claude-cli/2.0.1 (x)")).await.status, 200);
    assert_eq!(say(&Client::new(&provider.base_url()).anthropic("key")).await.status, 200);
}

#[tokio::test]
async fn scripts_for_an_owner_win_over_what_its_tokens_are_worth() {
    let (provider, _) = provider().await;
    let (a, b) = (provider.issues("a", HOUR), provider.issues("b", HOUR));
    provider.answers_owner("a", Answer::limited("five_hour", 1_800_000_090));
    provider.revoke_access("a");
    let limited = say(&bearer(&provider, &a.access_token)).await;
    let header =
        |name: &str| limited.header(&format!("anthropic-ratelimit-unified-{name}")).to_owned();
    assert_eq!((limited.status, limited.header("retry-after")), (429, "90"));
    assert_eq!(header("status"), "rejected");
    assert_eq!(header("representative-claim"), "five_hour");
    assert_eq!((header("5h-status"), header("7d-status")), ("rejected".into(), "allowed".into()));
    assert_eq!((header("5h-reset"), header("reset")), ("1800000090".into(), "1800000090".into()));

    provider.answers_owner("b", Answer::well().unified(7, 85, 1_800_000_090));
    let well = say(&bearer(&provider, &b.access_token)).await;
    let header =
        |name: &str| well.header(&format!("anthropic-ratelimit-unified-{name}")).to_owned();
    assert_eq!((well.status, header("status").as_str()), (200, "allowed_warning"));
    assert_eq!(
        (header("5h-utilization"), header("7d-utilization")),
        ("0.07".into(), "0.85".into())
    );
    assert_eq!(
        (header("5h-status"), header("7d-status")),
        ("allowed".into(), "allowed_warning".into())
    );
    assert_eq!(header("representative-claim"), "seven_day");
    let opus = Answer::limited("seven_day_opus", 1);
    provider.answers_owner("b", opus);
    let opus = say(&bearer(&provider, &b.access_token)).await;
    assert_eq!(opus.header("anthropic-ratelimit-unified-7d_opus-status"), "rejected");
    assert_eq!(opus.header("retry-after"), "0");
}

#[tokio::test]
async fn profile_and_usage_are_plausible_or_as_a_test_sets_them() {
    let (provider, _) = provider().await;
    let client = bearer(&provider, &provider.issues("a", HOUR).access_token);
    let profile = client.get("/api/oauth/profile", &[]).await.json();
    assert_eq!(profile["account"]["email"], "a@example.com");
    let usage = client.get("/api/oauth/usage", &[]).await.json();
    assert_eq!(usage["five_hour"]["resets_at"], "2027-01-15T11:00:00.000000+00:00");
    provider.sets_usage("a", json!({"five_hour": {"utilization": 99}}));
    provider.sets_profile("a", json!({"account": {"email": "x@example.com"}}));
    let usage = client.get("/api/oauth/usage", &[]).await.json();
    assert_eq!(usage["five_hour"]["utilization"], 99);
    let profile = client.get("/api/oauth/profile", &[]).await.json();
    assert_eq!(profile["account"]["email"], "x@example.com");
    let read = |owner| (provider.profiles_read(owner), provider.usages_read(owner));
    assert_eq!((read("a"), read("b")), ((2, 2), (0, 0)));

    let setup = bearer(&provider, &provider.issues_setup_token("a"));
    assert_eq!(say(&setup).await.status, 200);
    assert_eq!(setup.get("/api/oauth/usage", &[]).await.status, 403);
}

/// An address to agree at, with this scope.
fn authorize(scope: &str) -> String {
    format!(
        "http://127.0.0.1:9/authorize?code=true&client_id=c&response_type=code&state=s-1\
        &redirect_uri=https%3A%2F%2Fapp.test%2Fback&scope={scope}\
        &code_challenge={CHALLENGE}&code_challenge_method=S256"
    )
}

fn exchange_body(code: &str) -> Value {
    json!({
        "grant_type": "authorization_code", "client_id": "c", "code": code, "state": "s-1",
        "redirect_uri": "https://app.test/back", "code_verifier": VERIFIER,
    })
}

#[tokio::test]
async fn a_code_is_exchanged_once_by_whom_it_was_given_to() {
    let (provider, _) = provider().await;
    let pasted = provider.agrees(&authorize("user:profile+user:inference"), "a");
    let code = pasted.strip_suffix("#s-1").unwrap();
    let whole = exchange_body(code);
    for field in ["client_id", "code", "state", "redirect_uri", "code_verifier"] {
        let mut wrong = whole.clone();
        wrong[field] = format!("{}x", whole[field].as_str().unwrap()).into();
        let refused = token(&provider, &wrong).await;
        assert_eq!(
            (refused.status, &refused.json()["error"]),
            (400, &json!("invalid_grant")),
            "{field}"
        );
    }
    let mut longer = whole.clone();
    longer["expires_in"] = 31_536_000.into();
    let granted = token(&provider, &longer).await.json();
    assert_eq!(granted["expires_in"], 28_800, "only setup tokens choose");
    assert_eq!(granted["scope"], "user:profile user:inference");
    assert_eq!(granted["account"]["email_address"], "a@example.com");
    assert_eq!(
        (&granted["token_type"], granted["organization"]["name"].is_string()),
        (&json!("Bearer"), true)
    );
    assert_eq!(
        say(&bearer(&provider, granted["access_token"].as_str().unwrap())).await.status,
        200
    );
    assert_eq!(token(&provider, &whole).await.status, 400, "used up");

    let refresh_token = granted["refresh_token"].as_str().unwrap();
    let mut stranger = refresh_body(refresh_token);
    stranger["client_id"] = "d".into();
    assert_eq!(token(&provider, &stranger).await.json()["error"], "invalid_client");
    assert_eq!(refresh(&provider, refresh_token).await.status, 200);
}

#[tokio::test]
async fn a_setup_token_lives_as_long_as_asked_and_is_never_refreshed() {
    let (provider, clock) = provider().await;
    let pasted = provider.agrees(&authorize("user:inference"), "a");
    let mut body = exchange_body(pasted.split('#').next().unwrap());
    body["expires_in"] = 60.into();
    let granted = token(&provider, &body).await.json();
    assert_eq!((&granted["expires_in"], &granted["refresh_token"]), (&json!(60), &Value::Null));
    let client = bearer(&provider, granted["access_token"].as_str().unwrap());
    clock.advance(Duration::from_secs(59));
    assert_eq!(say(&client).await.status, 200);
    clock.advance(Duration::from_secs(1));
    assert_eq!(say(&client).await.status, 401);
}

#[tokio::test]
async fn scripts_in_other_languages_sign_in_over_http() {
    let provider = FakeProvider::start().await;
    let http = Client::new(&provider.base_url());
    let ask = async |path: &str, body: Value| http.post(path, &[], body.to_string()).await;
    let issued = ask("/__issue", json!({"owner": "a", "lifetime_ms": 60_000})).await.json();
    assert_eq!(say(&bearer(&provider, issued["access_token"].as_str().unwrap())).await.status, 200);
    let used = issued["refresh_token"].as_str().unwrap();
    ask("/__refreshing", json!({"owner": "a", "do": "fail"})).await;
    assert_eq!(refresh(&provider, used).await.status, 503);
    ask("/__refreshing", json!({"owner": "a", "do": "well"})).await;
    assert_eq!(refresh(&provider, used).await.json()["expires_in"], 60);
    assert_eq!(refresh(&provider, used).await.status, 400);
    let seen = http.get("/__refreshes", &[]).await.json();
    let outcome = |index: usize| seen["refreshes"][index]["outcome"].as_str().unwrap();
    assert_eq!([outcome(0), outcome(1), outcome(2)], ["failed", "granted", "refused"]);
    assert_eq!((&seen["reused"], &seen["refreshes"][0]["owner"]), (&json!(1), &json!("a")));

    let url = authorize("user:inference");
    let pasted = ask("/__agree", json!({"owner": "b", "url": url})).await.json();
    assert!(pasted["pasted"].as_str().unwrap().ends_with("#s-1"));
    assert_eq!(ask("/__agree", json!({"owner": "b", "url": "x"})).await.status, 400);
    let setup = ask("/__issue", json!({"owner": "b", "setup": true})).await.json();
    assert_eq!(say(&bearer(&provider, setup["access_token"].as_str().unwrap())).await.status, 200);
    ask("/__reset", json!({})).await;
    let nothing = json!({"refreshes": [], "reused": 0});
    assert_eq!(http.get("/__refreshes", &[]).await.json(), nothing);
}
