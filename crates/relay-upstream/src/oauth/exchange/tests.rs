use http::StatusCode;
use relay_core::account::{AccountKind, OauthSettings};
use serde_json::json;

use super::super::loopback::{Server, client, hang_up, serve};
use super::super::{Registration, USER_AGENT, endpoints};
use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn at(token_url: &str, flow: Flow) -> Endpoints {
    let settings = OauthSettings { token_url: Some(token_url.into()), ..OauthSettings::default() };
    endpoints(AccountKind::ClaudeOauth, &settings, flow)
}

fn tokens() -> Tokens {
    Tokens {
        access: Secret::new("old-access"),
        refresh: Some(Secret::new("old-refresh")),
        expires_at: Some(NOW),
        obtained_at: NOW.minus(Duration::from_secs(100)),
        client_secret: None,
    }
}

async fn refreshed(
    status: StatusCode,
    headers: &[(&str, &str)],
    body: impl Into<bytes::Bytes>,
) -> (Result<Granted, TokenFault>, Server) {
    let server = serve(status, headers, body).await;
    let endpoints = at(&server.address, Flow::Subscription);
    (refresh(&client(), &endpoints, &tokens(), NOW).await, server)
}

async fn fault(status: u16, body: &str) -> TokenFault {
    let status = StatusCode::from_u16(status).expect("a status");
    let (answer, _) = refreshed(status, &[], body.to_owned()).await;
    answer.expect_err("a fault")
}

#[tokio::test]
async fn a_code_is_exchanged_for_tokens_and_a_name() {
    let given = json!({
        "token_type": "Bearer", "access_token": "access", "refresh_token": "refresh",
        "expires_in": 28_800, "scope": "user:inference",
        "account": {"uuid": "1", "email_address": "a@example.com"},
        "organization": {"uuid": "2", "name": "Example"},
    });
    let server = serve(StatusCode::OK, &[], given.to_string()).await;
    let endpoints = at(&server.address, Flow::Subscription);
    let pkce = Pkce::new([1; 32], [2; 32]);
    let granted = exchange(&client(), &endpoints, &pkce, &"the-code".into(), NOW).await;
    let expected = Granted {
        tokens: Tokens {
            access: "access".into(),
            refresh: Some("refresh".into()),
            expires_at: Some(NOW.plus(Duration::from_hours(8))),
            obtained_at: NOW,
            client_secret: None,
        },
        identity: Identity {
            email: "a@example.com".into(),
            organisation: "Example".into(),
            ..Identity::default()
        },
    };
    assert_eq!(granted, Ok(expected));

    let asked = server.asked().await;
    assert_eq!(asked.method(), http::Method::POST);
    assert_eq!(asked.headers()["content-type"], "application/json");
    assert_eq!(asked.headers()["user-agent"], USER_AGENT);
    let body: Value = serde_json::from_slice(asked.body()).expect("JSON");
    let expected = json!({
        "grant_type": "authorization_code",
        "client_id": "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
        "code": "the-code",
        "redirect_uri": "https://platform.claude.com/oauth/code/callback",
        "code_verifier": pkce.verifier().expose(),
        "state": pkce.state(),
    });
    assert_eq!(body, expected);
}

#[test]
fn a_setup_token_is_asked_for_a_year() {
    let pkce = Pkce::new([1; 32], [2; 32]);
    let body = exchange_body(&at("http://host", Flow::SetupToken), &pkce, &"c".into());
    assert_eq!(body["expires_in"], json!(31_536_000));
}

#[tokio::test]
async fn a_refresh_token_that_is_not_replaced_stays() {
    let (granted, server) = refreshed(StatusCode::OK, &[], r#"{"access_token":"new"}"#).await;
    let granted = granted.expect("tokens");
    assert_eq!(granted.tokens.access.expose(), "new");
    assert_eq!(granted.tokens.refresh, tokens().refresh);
    assert_eq!((granted.tokens.expires_at, granted.tokens.obtained_at), (None, NOW));
    assert_eq!(granted.identity, Identity::default());
    let body: Value = serde_json::from_slice(server.asked().await.body()).expect("JSON");
    let expected = json!({
        "grant_type": "refresh_token",
        "client_id": "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
        "refresh_token": "old-refresh",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_field_of_an_unexpected_kind_does_not_lose_the_tokens() {
    let body = r#"{"access_token":"new","refresh_token":"next","expires_in":"3600",
                   "account":7,"organization":"x"}"#;
    let (granted, _) = refreshed(StatusCode::OK, &[], body).await;
    let tokens = granted.expect("tokens").tokens;
    assert_eq!(tokens.refresh, Some("next".into()));
    assert_eq!(tokens.expires_at, Some(NOW.plus(Duration::from_hours(1))));
    for (text, expected) in
        [("-1", None), ("true", None), ("1e300", Some(LIFE_MAX)), ("0", Some(Duration::ZERO))]
    {
        assert_eq!(life(&serde_json::from_str(text).expect("JSON")), expected, "{text}");
    }
}

#[tokio::test]
async fn only_a_refusal_in_the_terms_of_oauth_is_one() {
    let dead =
        r#"{"error":"invalid_grant","error_description":"Refresh token not found or invalid"}"#;
    let said = "invalid_grant: Refresh token not found or invalid".to_owned();
    assert_eq!(fault(400, dead).await, TokenFault::Refused { said: said.clone() });
    assert_eq!(fault(401, dead).await, TokenFault::Refused { said });
    let nested = r#"{"error":{"type":"invalid_grant"}}"#;
    assert_eq!(fault(400, nested).await, TokenFault::Refused { said: "invalid_grant".into() });

    let format = r#"{"type":"error","error":{"type":"invalid_request_error","message":"Invalid request format"}}"#;
    let others = [
        (400, format, "invalid_request_error: Invalid request format"),
        (403, "<html>Just a moment...</html>", ""),
        (401, "", ""),
        (500, dead, "invalid_grant: Refresh token not found or invalid"),
        (503, r#"{"error":"temporarily_unavailable"}"#, "temporarily_unavailable"),
        (302, "", ""),
    ];
    for (status, body, said) in others {
        let expected = TokenFault::Unavailable { status, retry_at: None, said: said.into() };
        assert_eq!(fault(status, body).await, expected, "{status}");
    }
    let busy = [("retry-after", "17")];
    let (answer, _) = refreshed(StatusCode::TOO_MANY_REQUESTS, &busy, "").await;
    let retry_at = Some(NOW.plus(Duration::from_secs(17)));
    let expected = TokenFault::Unavailable { status: 429, retry_at, said: String::new() };
    assert_eq!(answer, Err(expected));
    let (answer, _) = refreshed(StatusCode::BAD_GATEWAY, &[("retry-after", "999999")], "").await;
    let retry_at = Some(NOW.plus(super::super::RETRY_AFTER_MAX));
    let expected = TokenFault::Unavailable { status: 502, retry_at, said: String::new() };
    assert_eq!(answer, Err(expected));
}

#[tokio::test]
async fn what_judges_the_client_refuses_a_code_and_no_refresh_token() {
    let settings = [
        "access_denied",
        "invalid_client",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
    ];
    for error in settings {
        let body = json!({"error": error}).to_string();
        let said = error.to_owned();
        let expected = TokenFault::Unavailable { status: 400, retry_at: None, said: said.clone() };
        assert_eq!(fault(400, &body).await, expected);
        let server = serve(StatusCode::BAD_REQUEST, &[], body).await;
        let (pkce, endpoints) =
            (Pkce::new([1; 32], [2; 32]), at(&server.address, Flow::Subscription));
        let granted = exchange(&client(), &endpoints, &pkce, &"code".into(), NOW).await;
        assert_eq!(granted, Err(TokenFault::Refused { said }));
    }
}

#[tokio::test]
async fn a_providers_words_are_bounded_and_hold_no_token() {
    let words = format!("no old-refresh\r\nnor old-access {}", "x".repeat(1_000));
    let body = json!({"error": "invalid_grant", "error_description": words}).to_string();
    let TokenFault::Refused { said } = fault(400, &body).await else { panic!("not refused") };
    assert!(said.starts_with("invalid_grant: no …  nor … xxx"), "{said}");
    assert_eq!(said.chars().count(), 300);
}

#[tokio::test]
async fn an_answer_that_cannot_be_understood_is_unclear() {
    let unclear = |why: &str| TokenFault::Unclear { why: why.into() };
    for body in ["", "ok", "[]", "{\"access_token\":"] {
        assert_eq!(fault(200, body).await, unclear("it is no JSON object"), "{body}");
    }
    let nothing = unclear("there is no access token in it");
    assert_eq!(fault(200, r#"{"access_token":""}"#).await, nothing);
    assert_eq!(fault(200, r#"{"error":"invalid_grant"}"#).await, nothing);
    let endless = " ".repeat(super::super::ANSWER_BYTES_MAX + 1);
    assert_eq!(fault(200, &endless).await, unclear("it is too long"));
}

#[tokio::test]
async fn a_lost_answer_is_told_apart_from_a_request_that_never_left() {
    let lost = at(&hang_up().await, Flow::Subscription);
    let answer = refresh(&client(), &lost, &tokens(), NOW).await;
    assert!(matches!(answer, Err(TokenFault::Unclear { .. })), "{answer:?}");

    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", free.local_addr().expect("an address"));
    drop(free);
    let answer = refresh(&client(), &at(&address, Flow::Subscription), &tokens(), NOW).await;
    assert!(matches!(answer, Err(TokenFault::NotSent(_))), "{answer:?}");
    let answer = refresh(&client(), &at("no address", Flow::Subscription), &tokens(), NOW).await;
    assert!(matches!(answer, Err(TokenFault::NotSent(_))), "{answer:?}");
}

#[tokio::test]
async fn without_a_refresh_token_nothing_is_sent() {
    let setup = Tokens { refresh: None, ..tokens() };
    let answer = refresh(&client(), &at("http://host", Flow::SetupToken), &setup, NOW).await;
    assert_eq!(answer, Err(TokenFault::NotRefreshable));
}

fn of(kind: AccountKind, token_url: &str) -> Endpoints {
    let settings = OauthSettings { token_url: Some(token_url.into()), ..OauthSettings::default() };
    let registration =
        Registration { client_id: Some("app id".into()), client_secret: Some("app secret".into()) };
    endpoints(kind, &settings, Flow::Subscription).registered(&registration, None)
}

#[tokio::test]
async fn openai_is_asked_by_forms_and_its_tokens_say_whose_they_are() {
    let id_token = claims::token_saying(&json!({
        "email": "a@example.com",
        "https://api.openai.com/auth":
            {"chatgpt_account_id": "acc-1", "chatgpt_plan_type": "plus"},
    }));
    let access = claims::token_saying(&json!({"exp": 1_800_003_600}));
    let given = json!({"id_token": id_token, "access_token": access, "refresh_token": "next"});
    let server = serve(StatusCode::OK, &[], given.to_string()).await;
    let endpoints = of(AccountKind::OpenaiOauth, &server.address);
    let pkce = Pkce::new([1; 32], [2; 32]);
    let granted = exchange(&client(), &endpoints, &pkce, &"a/code".into(), NOW).await;
    let granted = granted.expect("tokens");
    assert_eq!(granted.identity.account, "acc-1");
    assert_eq!((&*granted.identity.email, &*granted.identity.plan), ("a@example.com", "plus"));
    assert_eq!(granted.tokens.expires_at, Some(NOW.plus(Duration::from_hours(1))));
    assert!(!format!("{granted:?}").contains(&id_token));
    let asked = server.asked().await;
    assert_eq!(asked.headers()["content-type"], "application/x-www-form-urlencoded");
    let expected = format!(
        "grant_type=authorization_code&code=a%2Fcode\
         &redirect_uri=http%3A%2F%2Flocalhost%3A1455%2Fauth%2Fcallback\
         &client_id=app_EMoamEEZ73f0CkXaXp7hrann&code_verifier={}",
        pkce.verifier().expose()
    );
    assert_eq!(asked.body(), expected.as_bytes());

    let server = serve(StatusCode::OK, &[], given.to_string()).await;
    let endpoints = of(AccountKind::OpenaiOauth, &server.address);
    let renewed = refresh(&client(), &endpoints, &tokens(), NOW).await.expect("tokens");
    assert_eq!(renewed.tokens.refresh, Some("next".into()));
    assert_eq!(renewed.identity.account, "acc-1");
    let expected = "grant_type=refresh_token&refresh_token=old-refresh\
                    &client_id=app_EMoamEEZ73f0CkXaXp7hrann\
                    &scope=openid%20profile%20email%20offline_access";
    assert_eq!(server.asked().await.body(), expected.as_bytes());
}

#[tokio::test]
async fn google_is_told_the_application_and_leaves_the_refresh_token() {
    let server = serve(StatusCode::OK, &[], r#"{"access_token":"new","expires_in":3599}"#).await;
    let endpoints = of(AccountKind::GeminiOauth, &server.address);
    let old = Tokens { client_secret: Some("its own".into()), ..tokens() };
    let renewed = refresh(&client(), &endpoints, &old, NOW).await.expect("tokens").tokens;
    assert_eq!((&renewed.refresh, &renewed.client_secret), (&old.refresh, &old.client_secret));
    let expected = "grant_type=refresh_token&refresh_token=old-refresh&client_id=app%20id\
                    &client_secret=app%20secret";
    assert_eq!(server.asked().await.body(), expected.as_bytes());
}

#[tokio::test]
async fn a_refresh_token_is_refused_in_the_words_of_each_provider_and_in_no_others() {
    let answered = async |kind, status: u16, body: String| {
        let server = serve(StatusCode::from_u16(status).expect("a status"), &[], body).await;
        refresh(&client(), &of(kind, &server.address), &tokens(), NOW).await.expect_err("a fault")
    };
    for code in ["refresh_token_expired", "refresh_token_reused", "refresh_token_invalidated"] {
        let body = json!({"error": {
            "message": "Your refresh token old-refresh was used", "type": "invalid_request_error",
            "param": null, "code": code,
        }});
        let fault = answered(AccountKind::OpenaiOauth, 401, body.to_string()).await;
        let TokenFault::Refused { said } = fault else { panic!("{code}: {fault:?}") };
        assert!(said.starts_with(code) && !said.contains("old-refresh"), "{said}");
    }
    let grant = json!({"error": "invalid_grant", "error_description": "Token has been revoked."});
    for kind in [AccountKind::OpenaiOauth, AccountKind::GeminiOauth] {
        let fault = answered(kind, 400, grant.to_string()).await;
        assert!(matches!(fault, TokenFault::Refused { .. }), "{fault:?}");
    }
    let client = json!({"error": "invalid_client", "error_description": "app secret is wrong"});
    let fault = answered(AccountKind::GeminiOauth, 401, client.to_string()).await;
    assert!(matches!(&fault, TokenFault::Unavailable { status: 401, .. }), "{fault:?}");
    assert!(!fault.to_string().contains("app secret"), "{fault}");
    let busy = json!({"error": {"message": "busy", "type": "server_error", "code": null}});
    let fault = answered(AccountKind::OpenaiOauth, 500, busy.to_string()).await;
    assert!(matches!(fault, TokenFault::Unavailable { status: 500, .. }), "{fault:?}");
}
