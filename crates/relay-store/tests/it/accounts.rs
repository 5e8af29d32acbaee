use std::path::Path;
use std::time::Duration;

use relay_core::account::{
    AccountKind, ClientRule, Deadlines, ExtraHeader, KeyHeader, OauthSettings, Sharing, Speaks,
};
use relay_core::credential::{Credential, Identity};
use relay_core::id::{AccountId, GroupId};
use relay_core::model::ModelPattern;
use relay_core::money::Money;
use relay_core::payload::PayloadRule;
use relay_core::proxy::{Proxy, ProxyScheme};
use relay_core::quota::StopAt;
use relay_core::secret::Secret;
use relay_core::usage::CallRecord;
use relay_store::StoreError;
use relay_store::accounts::{AccountChange, NewAccount};

use crate::{START, Scratch, minute, position, record};

/// A plain account.
pub(crate) fn account(name: &str) -> NewAccount {
    NewAccount {
        name: name.into(),
        note: "for tests".into(),
        kind: AccountKind::ClaudeApi,
        base_url: "http://127.0.0.1:1".into(),
        key_header: KeyHeader::XApiKey,
        speaks: Speaks::Chat,
        project: Some("a-project".into()),
        enabled: true,
        priority: -5,
        weight: 2,
        concurrency_max: Some(3),
        sharing: Sharing::Reserved,
        models: vec![ModelPattern::new("claude-*")],
        model_map: vec!["claude-opus-*=big-model".parse().expect("a mapping")],
        extra_headers: vec![ExtraHeader { name: "x-team".into(), value: "blue".into() }],
        proxy: Some(proxy()),
        clients: ClientRule::Any,
        payload: vec![
            PayloadRule::Drop { path: r"a\.b.c".parse().expect("a path") },
            PayloadRule::Set { path: "x".parse().expect("a path"), json: "[ 1.0e2 ]".into() },
        ],
        oauth: OauthSettings {
            token_url: Some("http://127.0.0.1:3/token".into()),
            scope: Some("user:inference".into()),
            ..OauthSettings::default()
        },
        stop_at: StopAt { five_hour: Some(95), seven_day: None },
        daily_cost_max: Some(Money::from_nanos(12_500_000_000)),
        ends_at: Some(minute(60)),
        deadlines: Deadlines { first_byte: Some(Duration::from_secs(30)), ..Deadlines::default() },
        groups: Vec::new(),
        credential: api_key(&format!("what {name} signs in by")),
        identity: Some(Identity { email: format!("{name}@example.org"), ..Identity::default() }),
    }
}

/// A proxy that wants to know who comes.
pub(crate) fn proxy() -> Proxy {
    Proxy {
        scheme: ProxyScheme::Socks5h,
        host: "proxy.example".into(),
        port: 1080,
        login: Some(("proxyuser".into(), Secret::new("proxy word: a/b@c"))),
    }
}

/// An API key.
pub(crate) fn api_key(text: &str) -> Credential {
    Credential::ApiKey(Secret::new(text))
}

/// Everything in the files of a directory.
pub(crate) fn bytes_in(dir: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(dir).expect("the directory");
    files.flat_map(|file| std::fs::read(file.expect("a file").path()).expect("bytes")).collect()
}

/// Whether a text stands in bytes as it is.
pub(crate) fn shows(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn an_account_reads_back_as_it_was_added() {
    let Scratch { store, dir } = Scratch::new().await;
    let new = account("anna");
    let id = store.add_account(&new, START).await.expect("added");
    let found = store.find_account("anna").await.expect("read").expect("there");
    assert_eq!(store.accounts().await.expect("read"), std::slice::from_ref(&found));
    assert_eq!(store.find_account(&id.to_string()).await.expect("read"), Some(found.clone()));

    assert_eq!((found.credential, found.credential_version), (new.credential, 1));
    assert_eq!((found.secret_tail.as_str(), found.identity), ("n by", new.identity));
    assert_eq!((found.signed_out, found.warned_of, found.updated_at), (None, None, START));
    let account = found.account;
    assert_eq!((account.id, account.name, account.note), (id, new.name, new.note));
    assert_eq!((account.kind, account.base_url), (new.kind, new.base_url));
    assert_eq!((account.key_header, account.enabled), (new.key_header, new.enabled));
    assert_eq!((account.speaks, &account.project), (new.speaks, &new.project));
    assert_eq!((account.priority, account.weight), (new.priority, new.weight));
    assert_eq!((account.concurrency_max, account.sharing), (new.concurrency_max, new.sharing));
    assert_eq!((account.models, account.model_map), (new.models, new.model_map));
    assert_eq!((account.extra_headers, account.deadlines), (new.extra_headers, new.deadlines));
    assert_eq!((account.proxy, account.clients), (new.proxy, new.clients));
    assert_eq!(account.payload, new.payload);
    assert_eq!((account.oauth, account.stop_at), (new.oauth, new.stop_at));
    assert_eq!((account.daily_cost_max, account.ends_at), (new.daily_cost_max, new.ends_at));
    assert_eq!((account.groups, account.created_at), (new.groups, START));

    let hidden = ["signs in by", "x-team", "proxyuser", "proxy word", "proxy.example"];
    let with_log = bytes_in(dir.path());
    store.close().await;
    for bytes in [with_log, bytes_in(dir.path())] {
        assert!(shows(&bytes, "anna"), "the row is there");
        assert!(hidden.iter().all(|hidden| !shows(&bytes, hidden)), "something is in clear");
    }
}

#[tokio::test]
async fn an_account_of_the_usual_sort_has_none_of_what_is_optional() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    let new = NewAccount::signed_in("anna", AccountKind::ClaudeOauth, "", Credential::Missing);
    let id = store.add_account(&new, START).await.expect("added");
    let found = store.account(id).await.expect("read").expect("there");
    assert_eq!((found.credential, found.secret_tail.as_str()), (Credential::Missing, ""));
    assert_eq!((found.identity, found.account.proxy), (None, None));
    assert_eq!(found.account.clients, ClientRule::ClaudeCode);
    assert_eq!((found.account.oauth, found.account.stop_at), Default::default());
    assert_eq!((found.account.daily_cost_max, found.account.ends_at), (None, None));
}

#[tokio::test]
async fn a_change_touches_the_fields_it_names_and_no_other() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    let id = store.add_account(&account("anna"), START).await.expect("added");
    let before = store.account(id).await.expect("read").expect("there");

    let pause = AccountChange { enabled: Some(false), ..AccountChange::default() };
    assert!(store.change_account(id, &pause, minute(1)).await.expect("changed"));
    let unlimited = AccountChange {
        concurrency_max: Some(0),
        first_byte: Some(Duration::ZERO),
        unary: Some(Duration::from_secs(9)),
        credential: Some(api_key("another way in for anna")),
        proxy: Some(None),
        stop_at: Some(StopAt { five_hour: None, seven_day: Some(80) }),
        daily_cost_max: Some(Money::ZERO),
        ..AccountChange::default()
    };
    assert!(store.change_account(id, &unlimited, minute(2)).await.expect("changed"));
    let elsewhere = AccountChange {
        clients: Some(ClientRule::ClaudeCode),
        oauth: Some(OauthSettings::default()),
        ends_at: Some(None),
        payload: Some(Vec::new()),
        ..AccountChange::default()
    };
    assert!(store.change_account(id, &elsewhere, minute(3)).await.expect("changed"));

    let mut expected = before.clone();
    expected.account.enabled = false;
    expected.account.concurrency_max = None;
    expected.account.deadlines =
        Deadlines { first_byte: None, unary: Some(Duration::from_secs(9)), idle: None };
    expected.account.proxy = None;
    expected.account.stop_at = StopAt { five_hour: None, seven_day: Some(80) };
    expected.account.daily_cost_max = None;
    expected.account.clients = ClientRule::ClaudeCode;
    expected.account.oauth = OauthSettings::default();
    expected.account.ends_at = None;
    expected.account.payload = Vec::new();
    expected.credential = api_key("another way in for anna");
    expected.credential_version = 1_000_000;
    expected.secret_tail = "anna".into();
    expected.identity = None;
    expected.updated_at = minute(3);
    assert_eq!(store.account(id).await.expect("read"), Some(expected.clone()));
    let back = AccountChange {
        proxy: Some(Some(proxy())),
        daily_cost_max: Some(Money::from_nanos(1)),
        ends_at: Some(Some(minute(9))),
        ..AccountChange::default()
    };
    assert!(store.change_account(id, &back, minute(3)).await.expect("changed"));
    expected.account.proxy = Some(proxy());
    expected.account.daily_cost_max = Some(Money::from_nanos(1));
    expected.account.ends_at = Some(minute(9));
    assert_eq!(store.account(id).await.expect("read"), Some(expected));
    assert!(!store.change_account(AccountId(99), &pause, minute(3)).await.expect("no such"));
}

#[tokio::test]
async fn names_are_unique_among_the_living() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    let anna = store.add_account(&account("anna"), START).await.expect("added");
    let bert = store.add_account(&account("bert"), START).await.expect("added");
    let taken = store.add_account(&account("anna"), START).await.expect_err("taken");
    assert!(matches!(&taken, StoreError::NameTaken(name) if name == "anna"), "{taken:?}");
    let rename = AccountChange { name: Some("anna".into()), ..AccountChange::default() };
    let taken = store.change_account(bert, &rename, START).await.expect_err("taken");
    assert!(matches!(taken, StoreError::NameTaken(_)), "{taken:?}");

    assert!(store.remove_account(anna, START).await.expect("removed"));
    assert!(!store.remove_account(anna, START).await.expect("was removed"));
    assert_eq!(store.account(anna).await.expect("read"), None);
    let again = store.add_account(&account("anna"), START).await.expect("the name is free");
    assert_ne!(again, anna);
}

#[tokio::test]
async fn groups_hold_accounts_and_let_them_go() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    let team = store.add_group("team", START).await.expect("added");
    assert!(matches!(store.add_group("team", START).await, Err(StoreError::NameTaken(_))));
    let anna = NewAccount { groups: vec![team], ..account("anna") };
    let anna = store.add_account(&anna, START).await.expect("added");
    let bert = store.add_account(&account("bert"), START).await.expect("added");
    assert!(store.join_group(team, bert, START).await.expect("joined"));
    assert!(!store.join_group(team, bert, START).await.expect("was in it"));

    let found = store.find_group("team").await.expect("read").expect("there");
    assert_eq!(found.accounts, [anna, bert]);
    let accounts = store.accounts().await.expect("read");
    assert!(accounts.iter().all(|it| it.account.groups == [team]));

    assert!(store.leave_group(team, anna, START).await.expect("left"));
    assert!(!store.leave_group(team, anna, START).await.expect("had left"));
    assert!(store.remove_account(bert, START).await.expect("removed"));
    assert_eq!(store.groups().await.expect("read")[0].accounts, []);
    let gone = store.join_group(team, bert, START).await;
    assert!(matches!(gone, Err(StoreError::Dangling)), "{gone:?}");
    assert!(store.join_group(team, anna, START).await.expect("joined"));
    assert!(store.remove_group(team, START).await.expect("removed"));
    let anna = store.account(anna).await.expect("read").expect("stays");
    assert_eq!(anna.account.groups, []);
}

#[tokio::test]
async fn what_does_not_exist_cannot_be_referred_to() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    let nowhere = NewAccount { groups: vec![GroupId(7)], ..account("anna") };
    let refused = store.add_account(&nowhere, START).await.expect_err("no such group");
    assert!(matches!(refused, StoreError::Dangling), "{refused:?}");
    assert_eq!(store.accounts().await.expect("read"), [], "nothing is left of the attempt");
}

#[tokio::test]
async fn a_proxy_that_does_not_open_is_an_error_and_not_the_direct_way() {
    let scratch = Scratch::new().await;
    let store = &scratch.store;
    let anna = store.add_account(&account("anna"), START).await.expect("added");
    let bert = store.add_account(&account("bert"), START).await.expect("added");
    // The blob of one row in another: it was sealed for its own place alone.
    scratch
        .run(
            "update accounts set sealed_proxy =
                 (select sealed_proxy from accounts where name = 'anna') where name = 'bert'",
        )
        .await;
    let refused = store.account(bert).await.expect_err("refused");
    assert!(matches!(refused, StoreError::Sealed(_)), "{refused:?}");
    assert!(!refused.to_string().contains("proxy.example"), "{refused}");
    let found = store.account(anna).await.expect("read").expect("there");
    assert_eq!(found.account.proxy, Some(proxy()));
}

#[tokio::test]
async fn the_costs_of_accounts_begin_with_a_quarter_of_an_hour() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    assert_eq!(store.account_costs_since(START).await.expect("read"), []);
    // Calls at minutes 1, 14, 15 and 29, of which the third is of another account.
    let call = |number, account, nanos| CallRecord {
        account: AccountId(account),
        cost: Money::from_nanos(nanos),
        ..record(number)
    };
    let calls = [call(1, 1, 1), call(14, 1, 10), call(15, 2, 100), call(29, 1, 1_000)];
    store.ingest(&calls, position(1)).await.expect("written");
    let since = |at| {
        let store = store.clone();
        async move {
            let costs = store.account_costs_since(at).await.expect("read");
            costs.iter().map(|(id, cost)| (id.0, cost.as_nanos())).collect::<Vec<_>>()
        }
    };
    assert_eq!(since(START).await, [(1, 1_011), (2, 100)]);
    assert_eq!(since(minute(14)).await, [(1, 1_011), (2, 100)]);
    assert_eq!(since(minute(15)).await, [(1, 1_000), (2, 100)]);
    assert_eq!(since(minute(29)).await, [(1, 1_000), (2, 100)]);
    assert_eq!(since(minute(30)).await, []);
}
