//! Sign-ins with OpenAI and Google.

use relay_testkit::{Answer, FakeProvider, SeenRequest, unsigned_jwt};
use relay_upstream::client::tls_config;
use relay_upstream::oauth::{Flow, Pkce, Registration};
use serde_json::json;

use super::*;

fn how(registration: Registration, client_secret: Option<&str>) -> SignIn {
    SignIn {
        flow: Flow::Subscription,
        pkce: Pkce::new([1; 32], [2; 32]),
        registration,
        client_secret: client_secret.map(Secret::new),
    }
}

fn registration() -> Registration {
    Registration { client_id: Some("shared".into()), client_secret: Some("shared-words".into()) }
}

fn subscription(kind: AccountKind, provider: &FakeProvider) -> NewAccount {
    let mut new = NewAccount::signed_in("main", kind, &provider.base_url(), Credential::Missing);
    new.oauth.token_url = Some(provider.token_url());
    new
}

fn ends(path: &'static str) -> impl Fn(&SeenRequest) -> bool + Send + Sync + 'static {
    move |seen| seen.path().ends_with(path)
}

#[tokio::test]
async fn the_address_that_codex_is_sent_to_signs_in_and_names_the_account() {
    let Scratch { store, .. } = &Scratch::new().await;
    let provider = FakeProvider::start().await;
    let how = how(Registration::default(), None);
    let new = subscription(AccountKind::OpenaiOauth, &provider);
    let login = login_begin_new(store, new, &[], how).await.expect("begun");
    let state = login.url().rsplit_once("state=").expect("a state").1.to_owned();
    let id_token = unsigned_jwt(&json!({
        "email": "lena@example.com",
        "https://api.openai.com/auth":
            {"chatgpt_account_id": "acc-1", "chatgpt_plan_type": "plus"},
    }));
    let given = json!({
        "id_token": id_token, "access_token": "access-words", "refresh_token": "next-words",
        "expires_in": 3600,
    });
    provider.answers_when(ends("/v1/oauth/token"), Answer::status(200).json(&given));
    let pasted = format!("http://localhost:1455/auth/callback?code=the-code&state={state}");
    let done = login_finish(store, &login, &Secret::new(pasted), &tls_config(), NOW).await;
    let done = done.expect("signed in");
    assert_eq!((done.can_refresh, done.unidentified), (true, None));
    let shown = show(store, "main", &ALONE).await.expect("shown");
    let whose = shown.identity.expect("an identity");
    assert_eq!((&*whose.account, &*whose.plan), ("acc-1", "plus"));
    let seen = provider.requests();
    let asked = seen.iter().find(|seen| ends("/v1/oauth/token")(seen)).expect("asked");
    let body = String::from_utf8_lossy(&asked.body);
    assert!(body.contains("&code=the-code&"), "{body}");
    assert!(!body.contains("state="), "{body}");
}

#[tokio::test]
async fn google_is_asked_as_an_application_and_the_sign_in_gets_its_project() {
    let Scratch { store, .. } = &Scratch::new().await;
    let provider = FakeProvider::start().await;
    let new = subscription(AccountKind::GeminiOauth, &provider);
    let without = login_begin_new(store, new.clone(), &[], how(Registration::default(), None));
    let why = without.await.expect_err("refused").to_string();
    assert!(why.contains("GEMINI_OAUTH_CLIENT_ID") && why.contains("Gemini CLI"), "{why}");
    let mut own = new;
    own.oauth.client_id = Some("own".into());
    let lacks = login_begin_new(store, own.clone(), &[], how(registration(), None)).await;
    assert!(lacks.is_err(), "no other application's secret is sent");
    let login = login_begin_new(store, own, &[], how(registration(), Some("own-words")));
    let login = login.await.expect("begun");
    assert!(!format!("{login:?}").contains("own-words") && !login.url().contains("own-words"));
    let loaded = json!({"currentTier": {"id": "free-tier"}, "cloudaicompanionProject": "p-1"});
    provider.answers_when(ends(":loadCodeAssist"), Answer::status(200).json(&loaded));
    let given = json!({"access_token": "access-words", "refresh_token": "1//words"});
    provider.answers_when(ends("/v1/oauth/token"), Answer::status(200).json(&given));
    let code = Secret::new("4/the-code");
    let done = login_finish(store, &login, &code, &tls_config(), NOW).await.expect("signed in");
    assert_eq!(done.unidentified, None);
    let stored = store.account(done.id).await.expect("a query").expect("an account");
    let whose = stored.identity.expect("an identity");
    assert_eq!((&*whose.project, &*whose.plan), ("p-1", "free-tier"));
    let Credential::Tokens(tokens) = stored.credential else { panic!("no tokens") };
    assert_eq!(tokens.client_secret, Some("own-words".into()));
    // The next sign-in, and other tokens, go on with the secret that the account has.
    assert!(login_begin(store, "main", how(registration(), None)).await.is_ok());
    let secret = Some(r#"{"access_token":"a","refresh_token":"1//r"}"#.into());
    let edit = AccountEdit { secret, ..AccountEdit::default() };
    set(store, &Selection::Named(vec!["main".into()]), edit, NOW).await.expect("set");
    let stored = store.account(done.id).await.expect("a query").expect("an account");
    let Credential::Tokens(tokens) = stored.credential else { panic!("no tokens") };
    assert_eq!(tokens.client_secret, Some("own-words".into()));
}

#[tokio::test]
async fn tokens_that_codex_keeps_name_the_account_when_added_and_when_set() {
    let Scratch { store, .. } = &Scratch::new().await;
    let kept = |account: &str| {
        let tokens = json!({"access_token": "a", "refresh_token": "r", "account_id": account});
        Secret::new(json!({ "tokens": tokens }).to_string())
    };
    let (credential, identity) =
        credential(AccountKind::OpenaiOauth, &kept("acc-1"), NOW).expect("tokens");
    let new = NewAccount {
        identity,
        ..NewAccount::signed_in("main", AccountKind::OpenaiOauth, "http://127.0.0.1:1", credential)
    };
    add(store, new, &[], NOW).await.expect("added");
    let named = async || {
        let shown = show(store, "main", &ALONE).await.expect("shown");
        shown.identity.unwrap_or_default().account
    };
    assert_eq!(named().await, "acc-1");
    let edit = AccountEdit { secret: Some(kept("acc-2")), ..AccountEdit::default() };
    set(store, &Selection::Named(vec!["main".into()]), edit, NOW).await.expect("set");
    assert_eq!(named().await, "acc-2");
}

#[tokio::test]
async fn what_one_kind_alone_has_is_refused_to_others() {
    let Scratch { store, .. } = &Scratch::new().await;
    let mut new = new_account("main");
    new.project = Some("p-1".into());
    let refused = add(store, new, &[], NOW).await.expect_err("refused").to_string();
    assert!(refused.contains("gemini-oauth"), "{refused}");
    let mut new = new_account("main");
    new.speaks = relay_core::account::Speaks::Chat;
    assert!(add(store, new, &[], NOW).await.is_err());
    add(store, new_account("main"), &[], NOW).await.expect("added");
    let fields = AccountChange { project: Some("p-1".into()), ..AccountChange::default() };
    let edit = AccountEdit { fields, ..AccountEdit::default() };
    let set = set(store, &Selection::Named(vec!["main".into()]), edit, NOW).await;
    assert!(set.is_err(), "{set:?}");
}
