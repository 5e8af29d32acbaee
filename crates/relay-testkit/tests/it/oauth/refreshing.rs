//! Refresh tokens: rotation, reuse, and the ways in which a refresh goes wrong.

use relay_testkit::{Client, FakeProvider, Incoming, RefreshOutcome};
use serde_json::Value;

use super::{HOUR, bearer, provider, refresh, refresh_body, say, token};

fn outcomes(provider: &FakeProvider) -> Vec<RefreshOutcome> {
    provider.refreshes().into_iter().map(|seen| seen.outcome).collect()
}

/// A refresh in a task of its own, which a test lets wait.
fn refreshing(
    provider: &FakeProvider,
    refresh_token: &str,
) -> tokio::task::JoinHandle<std::io::Result<Incoming>> {
    let client = Client::new(&provider.base_url());
    let body = refresh_body(refresh_token).to_string();
    tokio::spawn(async move {
        let json = [("content-type", "application/json")];
        client.try_request("POST", "/v1/oauth/token", &json, body).await
    })
}

fn text<'a>(body: &'a Value, field: &str) -> &'a str {
    body[field].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_refresh_token_rotates_and_using_it_again_ends_the_login() {
    let (provider, clock) = provider().await;
    let first = provider.issues("a", HOUR);
    let other = provider.issues("a", HOUR);
    clock.advance(HOUR);
    let second = refresh(&provider, &first.refresh_token).await.json();
    assert_eq!((text(&second, "token_type"), &second["expires_in"]), ("Bearer", &3_600.into()));
    assert_eq!(text(&second, "scope"), "user:inference user:profile");
    let client = bearer(&provider, text(&second, "access_token"));
    assert_eq!(say(&client).await.status, 200);
    let form = format!(
        "grant_type=refresh_token&client_id=c&refresh_token={}",
        text(&second, "refresh_token")
    );
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let http = Client::new(&provider.base_url());
    let third = http.post("/v1/oauth/token", &kind, form).await.json();
    assert_eq!((provider.reused(), say(&client).await.status), (0, 200));

    let refused = refresh(&provider, &first.refresh_token).await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json(),
        serde_json::json!({
            "error": "invalid_grant", "error_description": "Refresh token not found or invalid",
        })
    );
    assert_eq!((provider.reused(), say(&client).await.status), (1, 401));
    assert_eq!(refresh(&provider, text(&third, "refresh_token")).await.status, 400);
    assert_eq!(provider.reused(), 1, "the last token was not used before");
    assert_eq!(refresh(&provider, &other.refresh_token).await.status, 200, "another login");
    assert_eq!(refresh(&provider, "never-issued").await.status, 400);
    let seen = provider.refreshes();
    assert_eq!((seen.len(), seen[0].owner.as_str(), seen[5].owner.as_str()), (6, "a", ""));
    assert_eq!(seen[0].refresh_token, first.refresh_token);
    assert_eq!(seen[2].outcome, RefreshOutcome::Refused);
}

#[tokio::test]
async fn a_malformed_refresh_uses_nothing_up() {
    let (provider, _) = provider().await;
    let tokens = provider.issues("a", HOUR);
    let mut body = refresh_body(&tokens.refresh_token);
    body["client_id"] = "".into();
    let refused = token(&provider, &body).await;
    assert_eq!((refused.status, text(&refused.json(), "error")), (400, "invalid_request"));
    let http = Client::new(&provider.base_url());
    let whole = refresh_body(&tokens.refresh_token).to_string();
    assert_eq!(http.post("/v1/oauth/token", &[], whole).await.status, 400, "of no content type");
    body["grant_type"] = "password".into();
    assert_eq!(text(&token(&provider, &body).await.json(), "error"), "unsupported_grant_type");
    assert_eq!(refresh(&provider, &tokens.refresh_token).await.status, 200);
}

#[tokio::test]
async fn refreshes_fail_and_are_refused_as_scripted_and_nothing_rotates() {
    use RefreshOutcome::{Failed, Granted, Refused};
    let (provider, _) = provider().await;
    let tokens = provider.issues("a", HOUR);
    let healthy = provider.issues("b", HOUR);
    provider.fails_refreshes("a", 503);
    assert_eq!(refresh(&provider, &tokens.refresh_token).await.status, 503);
    assert_eq!(refresh(&provider, &healthy.refresh_token).await.status, 200);
    provider.refuses_refreshes("a");
    let refused = refresh(&provider, &tokens.refresh_token).await;
    assert_eq!(text(&refused.json(), "error"), "invalid_grant");
    provider.recovers();
    assert_eq!(refresh(&provider, &tokens.refresh_token).await.status, 200);
    assert_eq!(outcomes(&provider), [Failed, Granted, Refused, Granted]);
    assert_eq!(provider.reused(), 0);
}

#[tokio::test]
async fn a_lost_refresh_has_rotated() {
    let (provider, _) = provider().await;
    let tokens = provider.issues("a", HOUR);
    provider.loses_next_refresh("a");
    assert!(refreshing(&provider, &tokens.refresh_token).await.unwrap().is_err());
    provider.until_outcomes(RefreshOutcome::Lost, 1).await;
    assert_eq!(refresh(&provider, &tokens.refresh_token).await.status, 400);
    assert_eq!(provider.reused(), 1);
}

#[tokio::test]
async fn held_refreshes_wait_and_whoever_leaves_has_changed_nothing() {
    let (provider, _) = provider().await;
    let tokens = provider.issues("a", HOUR);
    let gate = provider.holds_refreshes();
    let leaving = refreshing(&provider, &tokens.refresh_token);
    gate.until_held(1).await;
    provider.until_refreshes(1).await;
    assert_eq!(outcomes(&provider), [RefreshOutcome::Waiting]);
    leaving.abort();
    provider.until_outcomes(RefreshOutcome::Failed, 1).await;
    gate.until_held(0).await;

    let staying = refreshing(&provider, &tokens.refresh_token);
    gate.until_held(1).await;
    gate.release();
    assert_eq!(staying.await.unwrap().unwrap().status, 200);
    assert_eq!(outcomes(&provider), [RefreshOutcome::Failed, RefreshOutcome::Granted]);
}

#[tokio::test]
async fn held_answers_are_lost_on_whoever_leaves() {
    let (provider, _) = provider().await;
    let tokens = provider.issues("a", HOUR);
    let gate = provider.holds_answers();
    let leaving = refreshing(&provider, &tokens.refresh_token);
    gate.until_held(1).await;
    assert_eq!(outcomes(&provider), [RefreshOutcome::Granted]);
    provider.clear_log();
    assert_eq!(outcomes(&provider), []);
    let again = refreshing(&provider, &tokens.refresh_token);
    gate.until_held(2).await;
    assert_eq!((outcomes(&provider), provider.reused()), (vec![RefreshOutcome::Refused], 1));
    leaving.abort();
    gate.until_held(1).await;
    drop(gate);
    assert_eq!(again.await.unwrap().unwrap().status, 400);

    let tokens = provider.issues("b", HOUR);
    let gate = provider.holds_answers();
    let leaving = refreshing(&provider, &tokens.refresh_token);
    gate.until_held(1).await;
    leaving.abort();
    provider.until_outcomes(RefreshOutcome::Lost, 1).await;
}

#[tokio::test]
async fn a_slow_refresh_has_rotated_before_its_answer_comes() {
    let (provider, _) = provider().await;
    let tokens = provider.issues("a", HOUR);
    provider.refresh_delay(HOUR);
    let leaving = refreshing(&provider, &tokens.refresh_token);
    provider.until_outcomes(RefreshOutcome::Granted, 1).await;
    leaving.abort();
    provider.until_outcomes(RefreshOutcome::Lost, 1).await;
}
