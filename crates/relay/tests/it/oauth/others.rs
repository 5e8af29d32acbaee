//! Sign-ins with OpenAI and Google.

use std::sync::Arc;
use std::time::Duration;

use relay::tokens;
use relay::verbs::account;
use relay_core::account::{AccountKind, OauthSettings};
use relay_core::credential::{Credential, Tokens};
use relay_core::secret::Secret;
use relay_store::accounts::NewAccount;
use relay_testkit::{Answer, FakeProvider, RefreshOutcome, SeenRequest, unsigned_jwt};
use serde_json::{Value, json};

use super::{HOUR, events, member, provider, token_requests, tokens as kept, until, until_stored};
use crate::kit::{START, TestRelay};

const REGISTRATION: [(&str, &str); 2] =
    [("GEMINI_OAUTH_CLIENT_ID", "app"), ("GEMINI_OAUTH_CLIENT_SECRET", "app-words")];

fn signed_in(kind: AccountKind, provider: &FakeProvider, tokens: Tokens) -> NewAccount {
    NewAccount {
        oauth: OauthSettings { token_url: Some(provider.token_url()), ..OauthSettings::default() },
        ..NewAccount::signed_in("a", kind, &provider.base_url(), Credential::Tokens(tokens))
    }
}

/// A relay with one account that is signed in to, whose token has ended.
async fn ended(kind: AccountKind, settings: &[(&str, &str)]) -> (FakeProvider, TestRelay) {
    let provider = provider().await;
    let tokens = kept(&provider.issues("a", HOUR), START);
    let relay = TestRelay::start([signed_in(kind, &provider, tokens)], settings).await;
    provider.tells_time_by(Arc::clone(&relay.clock) as _);
    relay.clock.advance(HOUR);
    (provider, relay)
}

/// A relay with an account of Code Assist, whose tokens nobody said the end of.
async fn code_assist(provider: &FakeProvider) -> TestRelay {
    let tokens = Tokens {
        access: Secret::new("access-words"),
        refresh: Some(Secret::new("refresh-words")),
        expires_at: None,
        obtained_at: START,
        client_secret: None,
    };
    TestRelay::start([signed_in(AccountKind::GeminiOauth, provider, tokens)], &[]).await
}

fn ends(path: &'static str) -> impl Fn(&SeenRequest) -> bool + Send + Sync + 'static {
    move |seen| seen.path().ends_with(path)
}

fn says(body: &Value) -> Answer {
    Answer::status(200).json(body)
}

fn asked(provider: &FakeProvider, path: &str) -> usize {
    provider.requests().iter().filter(|seen| seen.path().ends_with(path)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_openai_is_refreshed_once_by_a_form_and_its_pair_kept() {
    let (provider, relay) = ended(AccountKind::OpenaiOauth, &[]).await;
    let of = member(&relay, "a").await;
    let gate = provider.holds_refreshes();
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let (app, of) = (Arc::clone(&relay.app), Arc::clone(&of));
            tokio::spawn(async move { tokens::secret(&app, &of).await })
        })
        .collect();
    gate.until_held(1).await;
    gate.release();
    let mut secrets = Vec::new();
    for waits in waiting {
        secrets.push(waits.await.expect("no panic").expect("a secret").expose().to_owned());
    }
    secrets.dedup();
    assert_eq!((secrets.len(), provider.refreshes().len(), provider.reused()), (1, 1, 0));
    let seen = provider.requests().into_iter().find(ends("/v1/oauth/token")).expect("a refresh");
    assert_eq!(seen.header("content-type"), "application/x-www-form-urlencoded");
    until_stored(&relay).await;
    relay.clock.advance(HOUR);
    tokens::secret(&relay.app, &of).await.expect("the next pair");
    until_stored(&relay).await;
    let stored = relay.app.store.find_account("a").await.expect("a query").expect("there");
    assert_eq!((stored.credential_version, provider.reused()), (3, 0));
    provider.until_outcomes(RefreshOutcome::Granted, 2).await;
}

#[tokio::test]
async fn a_refresh_token_that_openai_says_was_used_signs_out_and_is_not_sent_again() {
    let (provider, relay) = ended(AccountKind::OpenaiOauth, &[]).await;
    let body = json!({"error": {
        "message": "Your refresh token has already been used.", "type": "invalid_request_error",
        "param": null, "code": "refresh_token_reused",
    }});
    provider.answers_when(ends("/v1/oauth/token"), Answer::status(401).json(&body));
    let of = member(&relay, "a").await;
    for _ in 0..3 {
        let fault = tokens::secret(&relay.app, &of).await.expect_err("signed out");
        assert_eq!(fault.word, "signed_out");
    }
    assert_eq!(token_requests(&provider), 1);
    assert_eq!(relay.events_until("account_signed_out").await, ["account_signed_out"]);
}

#[tokio::test]
async fn what_a_refresh_tells_of_the_chatgpt_account_is_stored_and_the_id_token_is_not() {
    let (provider, relay) = ended(AccountKind::OpenaiOauth, &[]).await;
    let id_token = unsigned_jwt(&json!({
        "email": "lena@example.com",
        "https://api.openai.com/auth":
            {"chatgpt_account_id": "acc-1", "chatgpt_plan_type": "plus"},
    }));
    let given = json!({"id_token": id_token, "access_token": "next", "expires_in": 3600});
    provider.answers_when(ends("/v1/oauth/token"), says(&given));
    let of = member(&relay, "a").await;
    tokens::secret(&relay.app, &of).await.expect("a secret");
    let store = &relay.app.store;
    until("the identity is stored", async || {
        let stored = store.find_account("a").await.expect("a query").expect("there");
        let identity = stored.identity.unwrap_or_default();
        (&*identity.account, &*identity.plan, &*identity.email)
            == ("acc-1", "plus", "lena@example.com")
    })
    .await;
}

#[tokio::test]
async fn without_an_application_no_token_of_google_is_refreshed_and_nobody_is_asked() {
    let (provider, relay) = ended(AccountKind::GeminiOauth, &[]).await;
    let of = member(&relay, "a").await;
    for word in ["no_oauth_client", "token_not_refreshed", "token_not_refreshed"] {
        let fault = tokens::secret(&relay.app, &of).await.expect_err("no token");
        assert_eq!(fault.word, word);
    }
    assert_eq!(token_requests(&provider), 0);
    relay.events_until("token_not_refreshed").await;
    assert_eq!(events(&relay, "token_not_refreshed").await, 1);
    assert_eq!(events(&relay, "account_signed_out").await, 0, "the token may be good");
    let relay = relay.restart(&REGISTRATION).await;
    let of = member(&relay, "a").await;
    tokens::secret(&relay.app, &of).await.expect("a secret");
    assert_eq!((provider.refreshes().len(), provider.reused()), (1, 0));
    let seen = provider.requests().into_iter().find(ends("/v1/oauth/token")).expect("a refresh");
    let body = String::from_utf8_lossy(&seen.body).into_owned();
    assert!(body.contains("client_id=app&client_secret=app-words"), "{body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_without_a_project_is_given_one_once_and_it_is_kept() {
    let provider = provider().await;
    let relay = code_assist(&provider).await;
    let tiers = json!({"allowedTiers": [{"id": "other"}, {"id": "usual", "isDefault": true}]});
    provider.answers_when(ends(":loadCodeAssist"), says(&tiers));
    let begun = json!({"name": "operations/make-1", "done": false});
    provider.answers_when(ends(":onboardUser"), says(&begun));
    let done = json!({"done": true, "response": {"cloudaicompanionProject": {"id": "made-1"}}});
    provider.answers_once_when(ends("/operations/make-1"), says(&begun));
    provider.answers_when(ends("/operations/make-1"), says(&done));
    let of = member(&relay, "a").await;
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let (app, of) = (Arc::clone(&relay.app), Arc::clone(&of));
            tokio::spawn(async move { tokens::project(&app, &of).await })
        })
        .collect();
    for waits in waiting {
        assert_eq!(waits.await.expect("no panic").as_deref(), Ok("made-1"));
    }
    let asked = [":loadCodeAssist", ":onboardUser", "/operations/make-1"]
        .map(|path| asked(&provider, path));
    assert_eq!(asked, [1, 1, 2]);
    let onboard = provider.requests().into_iter().find(ends(":onboardUser")).expect("asked");
    assert_eq!(onboard.json()["tierId"], "usual");
    assert_eq!(onboard.header("authorization"), "Bearer access-words");
    let stored = relay.app.store.find_account("a").await.expect("a query").expect("there");
    assert_eq!(stored.identity.expect("an identity").project, "made-1");
}

#[tokio::test]
async fn an_operators_project_is_never_asked_for_and_one_that_is_refused_is_not_asked_for_at_once()
{
    let provider = provider().await;
    let relay = code_assist(&provider).await;
    let refusal = json!({"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}});
    provider.answers_when(ends(":loadCodeAssist"), Answer::status(403).json(&refusal));
    let of = member(&relay, "a").await;
    for _ in 0..3 {
        let fault = tokens::project(&relay.app, &of).await.expect_err("no project");
        assert_eq!(fault.word, "no_project");
    }
    assert_eq!(asked(&provider, ":loadCodeAssist"), 1);
    relay.clock.advance(Duration::from_mins(1));
    assert!(tokens::project(&relay.app, &of).await.is_err());
    assert_eq!(asked(&provider, ":loadCodeAssist"), 2);
    let change = relay_store::accounts::AccountChange {
        project: Some("mine-1".into()),
        ..Default::default()
    };
    relay.edit_account("a", &change).await;
    let of = member(&relay, "a").await;
    assert_eq!(tokens::project(&relay.app, &of).await.as_deref(), Ok("mine-1"));
    assert_eq!(asked(&provider, ":loadCodeAssist"), 2);
}

/// What a test of the account comes to.
async fn tested(relay: &TestRelay) -> account::AccountTest {
    let of = member(relay, "a").await;
    let way = account::Way {
        account: &of.account,
        identity: of.identity.as_ref(),
        client: &of.client,
        now: relay.app.now(),
        pieces: None,
    };
    let signer = account::Signer::Relay(&relay.app, &of);
    let prices = relay.app.prices.load_full();
    account::probe(way, &account::TestAsk::default(), &prices, signer).await
}

async fn with_key(kind: AccountKind, provider: &FakeProvider) -> TestRelay {
    let key = Secret::new("key-words".repeat(3));
    TestRelay::start([NewAccount::new("a", kind, &provider.base_url(), key)], &[]).await
}

#[tokio::test]
async fn accounts_of_each_kind_are_tested_by_what_costs_nothing() {
    let provider = provider().await;
    provider.answers_when(ends("/v1/models"), says(&json!({"data": []})));
    provider.answers_when(ends("/v1beta/models"), says(&json!({"models": []})));
    for (kind, header) in
        [(AccountKind::OpenaiApi, "authorization"), (AccountKind::GeminiApi, "x-goog-api-key")]
    {
        let relay = with_key(kind, &provider).await;
        let test = tested(&relay).await;
        assert_eq!((test.verdict, test.status), (account::Verdict::Works, Some(200)), "{test:?}");
        let asked = provider.requests().into_iter().next_back().expect("a question");
        assert!(asked.method == "GET" && asked.header(header).contains("key-words"), "{asked:?}");
    }
}

#[tokio::test]
async fn a_chatgpt_subscription_without_a_list_of_models_is_asked_for_its_quota() {
    let (provider, relay) = ended(AccountKind::OpenaiOauth, &[]).await;
    provider.answers_when(ends("/models"), Answer::status(404).json(&json!({"detail": "no"})));
    provider.answers_when(ends("/wham/usage"), Answer::status(404).json(&json!({})));
    let test = tested(&relay).await;
    assert_eq!(test.verdict, account::Verdict::Unclear);
    assert!(test.fault.as_deref().unwrap_or_default().starts_with("its token is fresh"));
    assert_eq!(provider.refreshes().len(), 1, "its token had ended");
    let windows = json!({"rate_limit": {
        "primary_window": {"used_percent": 20, "limit_window_seconds": 18_000}}});
    provider.answers_when(ends("/wham/usage"), says(&windows));
    assert_eq!(tested(&relay).await.verdict, account::Verdict::Works);
}

#[tokio::test]
async fn code_assist_works_as_far_as_its_quota_lasts() {
    let provider = provider().await;
    let relay = code_assist(&provider).await;
    let loaded = json!({"currentTier": {"id": "free-tier"}, "cloudaicompanionProject": "p-1"});
    provider.answers_when(ends(":loadCodeAssist"), says(&loaded));
    let quota = |left: f64| {
        json!({"buckets": [{"modelId": "gemini-2.5-pro", "remainingFraction": left,
                            "resetTime": "2100-01-01T00:00:00Z"}]})
    };
    for (left, verdict) in [(0.5, account::Verdict::Works), (0.0, account::Verdict::Limited)] {
        provider.answers_when(ends(":retrieveUserQuota"), says(&quota(left)));
        let test = tested(&relay).await;
        assert_eq!(test.verdict, verdict, "{test:?}");
        assert_eq!(test.resets_at.is_some(), verdict == account::Verdict::Limited);
        assert_eq!(test.plan.expect("a plan").plan, "free-tier");
    }
    let asked = provider.requests().into_iter().rfind(ends(":retrieveUserQuota")).expect("asked");
    assert_eq!(asked.json()["project"], "p-1");
}
