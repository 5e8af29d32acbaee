//! The two halves of a sign-in, apart from one another.

use relay_core::id::AccountId;
use relay_testkit::{Answer, FakeProvider, SeenRequest};
use relay_upstream::client::tls_config;
use relay_upstream::oauth::{Flow, Pkce, Registration};
use serde_json::json;

use super::*;

fn how() -> SignIn {
    SignIn {
        flow: Flow::Subscription,
        pkce: Pkce::new([1; 32], [2; 32]),
        registration: Registration::default(),
        client_secret: None,
    }
}

fn subscription(provider: &FakeProvider) -> NewAccount {
    let mut new = NewAccount::signed_in(
        "main",
        AccountKind::ClaudeOauth,
        &provider.base_url(),
        Credential::Missing,
    );
    new.oauth.token_url = Some(provider.token_url());
    new
}

#[tokio::test]
async fn a_new_account_is_stored_once_its_code_is_good() {
    let Scratch { store, .. } = &Scratch::new().await;
    let provider = FakeProvider::start().await;
    provider.sets_lifetime("lena", Duration::from_hours(8));
    let groups = ["team".to_owned()];
    let begun = login_begin_new(store, subscription(&provider), &groups, how());
    let login = begun.await.expect("begun");
    assert!(!format!("{login:?}").contains(how().pkce.verifier().expose()));
    let wrong = login_finish(store, &login, &"no-code".into(), &tls_config(), NOW).await;
    assert!(matches!(wrong, Err(LoginError::Refused(_))), "{wrong:?}");
    assert!(store.accounts().await.expect("accounts").is_empty());
    assert!(store.groups().await.expect("groups").is_empty());
    let code = Secret::new(provider.agrees(&login.url(), "lena"));
    let done = login_finish(store, &login, &code, &tls_config(), NOW).await.expect("signed in");
    assert_eq!((done.id, done.can_refresh, done.unidentified), (AccountId(1), true, None));
    let shown = show(store, "main", &ALONE).await.expect("shown");
    assert_eq!((shown.state, shown.groups), (AccountState::Able, vec!["team".to_owned()]));
    let whose = shown.identity.expect("an identity");
    assert_eq!((whose.email.as_str(), whose.plan.as_str()), ("lena@example.com", "claude_max"));
    let again = login_finish(store, &login, &code, &tls_config(), NOW).await;
    assert!(again.is_err(), "a code serves once");
}

#[tokio::test]
async fn what_would_keep_an_account_from_being_added_is_told_before() {
    let Scratch { store, .. } = &Scratch::new().await;
    let provider = FakeProvider::start().await;
    add(store, new_account("main"), &[], NOW).await.expect("an account");
    let begin = |new, groups: &'static [&'static str]| async move {
        let groups: Vec<_> = groups.iter().map(|group| (*group).to_owned()).collect();
        login_begin_new(store, new, &groups, how()).await
    };
    let taken = begin(subscription(&provider), &[]).await;
    assert!(matches!(taken, Err(VerbError::Taken(_))));
    let mut other = subscription(&provider);
    other.name = "other".into();
    let no_group = begin(other, &["grp_7"]).await;
    assert!(matches!(no_group, Err(VerbError::NotFound { what: Thing::Group, .. })));
    let keyed = login_begin(store, "main", how()).await;
    assert!(matches!(keyed, Err(VerbError::Invalid(_))), "it has a key");
}

#[tokio::test]
async fn whose_a_sign_in_is_is_not_noted_of_one_that_came_after_it() {
    let Scratch { store, .. } = &Scratch::new().await;
    let provider = FakeProvider::start().await;
    add(store, subscription(&provider), &[], NOW).await.expect("an account");
    let late = json!({"account": {"email": "lena@example.com"}, "organization": {"name": "one"}});
    let is_profile = |seen: &SeenRequest| seen.path().ends_with("/profile");
    let late = Answer::status(200).json(&late).delay(Duration::from_millis(300));
    provider.answers_once_when(is_profile, late);
    let login = login_begin(store, "main", how()).await.expect("begun");
    let code = Secret::new(provider.agrees(&login.url(), "lena"));
    let tls = tls_config();
    let another = async {
        while !provider.requests().iter().any(is_profile) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let access = Secret::new("another");
        let tokens = Tokens {
            access,
            refresh: None,
            expires_at: None,
            obtained_at: NOW,
            client_secret: None,
        };
        let credential = Some(Credential::Tokens(tokens));
        let change = AccountChange { credential, ..AccountChange::default() };
        change_found(store, AccountId(1), &change, NOW).await.expect("changed");
    };
    let (done, ()) = tokio::join!(login_finish(store, &login, &code, &tls, NOW), another);
    assert_eq!(done.expect("signed in").unidentified, None);
    let shown = show(store, "main", &ALONE).await.expect("shown");
    assert_eq!(shown.identity, None, "nobody knows yet who else signed in");
}

#[tokio::test]
async fn an_account_that_was_removed_meanwhile_is_not_signed_in_to() {
    let Scratch { store, .. } = &Scratch::new().await;
    let provider = FakeProvider::start().await;
    add(store, subscription(&provider), &[], NOW).await.expect("an account");
    let login = login_begin(store, "main", how()).await.expect("begun");
    remove(store, &main_one(), NOW).await.expect("removed");
    let code = Secret::new(provider.agrees(&login.url(), "lena"));
    let gone = login_finish(store, &login, &code, &tls_config(), NOW).await;
    assert!(matches!(gone, Err(LoginError::Verb(VerbError::NotFound { .. }))));
    assert!(provider.requests().is_empty(), "the code was not used up");
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_told_apart_from_a_wrong_code() {
    let Scratch { store, .. } = &Scratch::new().await;
    let provider = FakeProvider::start().await;
    let mut new = subscription(&provider);
    new.proxy = Some("http://127.0.0.1:1".parse().expect("a proxy"));
    add(store, new, &[], NOW).await.expect("an account");
    let before = store.accounts().await.expect("accounts");
    let login = login_begin(store, "main", how()).await.expect("begun");
    let code = Secret::new(provider.agrees(&login.url(), "lena"));
    let failed = login_finish(store, &login, &code, &tls_config(), NOW).await;
    assert!(matches!(failed, Err(LoginError::NotReached(_))), "{failed:?}");
    assert_eq!(store.accounts().await.expect("accounts"), before);
}
