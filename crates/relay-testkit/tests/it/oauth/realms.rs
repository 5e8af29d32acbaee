//! The sign-ins of ChatGPT and Google.

use std::time::Duration;

use relay_testkit::{Client, FakeProvider, Realm, Received, responses_body};
use serde_json::json;

const HOUR: Duration = Duration::from_hours(1);
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

async fn refresh(provider: &FakeProvider, realm: Realm, token: &str) -> Received {
    let form = format!(
        "grant_type=refresh_token&client_id=c&client_secret=s&refresh_token={token}&scope=openid"
    );
    let path = provider.token_url_in(realm).split_off(provider.base_url().len());
    Client::new(&provider.base_url()).post(&path, &[FORM], form).await
}

#[tokio::test]
async fn chatgpt_rotates_and_names_the_account() {
    let provider = FakeProvider::start().await;
    let first = provider.issues_in(Realm::ChatGpt, "ann", HOUR);
    assert_eq!(first.id_token.split('.').count(), 3);
    let second = refresh(&provider, Realm::ChatGpt, &first.refresh_token).await.json();
    assert!(second["id_token"].is_string() && second["refresh_token"].is_string());
    let again = refresh(&provider, Realm::ChatGpt, &first.refresh_token).await;
    assert_eq!((again.status, again.json()["error"]["code"].as_str()), {
        (401, Some("refresh_token_reused"))
    });
    assert_eq!(provider.reused(), 1);
    let json = json!({"grant_type": "refresh_token", "client_id": "c"}).to_string();
    let kind = ("content-type", "application/json");
    let client = Client::new(&provider.base_url());
    assert_eq!(client.post("/oauth/token", &[kind], json).await.status, 400);
}

#[tokio::test]
async fn chatgpts_tokens_open_its_own_door_for_their_own_account() {
    let provider = FakeProvider::start().await;
    let token = provider.issues_in(Realm::ChatGpt, "ann", HOUR).access_token;
    let client = Client::new(&provider.base_url()).openai(&token);
    let ask = |path: &'static str, account: &'static str| {
        let body = responses_body("gpt-5-codex", "x").codex();
        let client = client.clone();
        async move { client.post(path, &[("chatgpt-account-id", account)], body).await.status }
    };
    assert_eq!(ask("/responses", "account-ann").await, 200);
    assert_eq!(ask("/responses", "account-bob").await, 403);
    assert_eq!(ask("/v1/responses", "account-ann").await, 401);
    provider.revoke_access("ann");
    assert_eq!(ask("/responses", "account-ann").await, 401);
}

#[tokio::test]
async fn googles_refresh_tokens_stay_and_need_a_secret() {
    let provider = FakeProvider::start().await;
    let first = provider.issues_in(Realm::Google, "ann", HOUR);
    for _ in 0..2 {
        let next = refresh(&provider, Realm::Google, &first.refresh_token).await.json();
        assert!(next["access_token"].is_string() && next["refresh_token"].is_null(), "{next}");
    }
    assert_eq!(provider.reused(), 0);
    let client = Client::new(&provider.base_url());
    let form = "grant_type=refresh_token&client_id=c&refresh_token=x";
    assert_eq!(client.post("/token", &[FORM], form).await.status, 400);
    let bearer = client.openai(&first.access_token);
    let info = bearer.get("/oauth2/v2/userinfo", &[]).await.json();
    assert_eq!(info["email"], "ann@example.com");
    let loaded = bearer.post("/v1internal:loadCodeAssist", &[], "{}").await.json();
    assert_eq!(loaded["cloudaicompanionProject"], "project-ann");
}
