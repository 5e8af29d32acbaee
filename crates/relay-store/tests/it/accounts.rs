use std::time::Duration;

use relay_core::account::{AccountKind, Deadlines, ExtraHeader, KeyHeader, Sharing};
use relay_core::id::{AccountId, GroupId};
use relay_core::model::ModelPattern;
use relay_core::secret::Secret;
use relay_store::StoreError;
use relay_store::accounts::{AccountChange, NewAccount};

use crate::{START, Scratch, minute};

/// A plain account.
pub(crate) fn account(name: &str) -> NewAccount {
    NewAccount {
        name: name.into(),
        note: "for tests".into(),
        kind: AccountKind::ClaudeApi,
        base_url: "http://127.0.0.1:1".into(),
        key_header: KeyHeader::XApiKey,
        enabled: true,
        priority: -5,
        weight: 2,
        concurrency_max: Some(3),
        sharing: Sharing::Reserved,
        models: vec![ModelPattern::new("claude-*")],
        model_map: vec!["claude-opus-*=big-model".parse().expect("a mapping")],
        extra_headers: vec![ExtraHeader { name: "x-team".into(), value: "blue".into() }],
        deadlines: Deadlines { first_byte: Some(Duration::from_secs(30)), ..Deadlines::default() },
        groups: Vec::new(),
        secret: Secret::new(format!("what {name} signs in by")),
    }
}

#[tokio::test]
async fn an_account_reads_back_as_it_was_added() {
    let Scratch { store, dir } = Scratch::new().await;
    let new = account("anna");
    let id = store.add_account(&new, START).await.expect("added");
    let found = store.find_account("anna").await.expect("read").expect("there");
    assert_eq!(store.accounts().await.expect("read"), std::slice::from_ref(&found));
    assert_eq!(store.find_account(&id.to_string()).await.expect("read"), Some(found.clone()));

    assert_eq!(found.secret, new.secret);
    assert_eq!(found.secret_tail, "n by");
    let account = found.account;
    assert_eq!((account.id, account.name, account.note), (id, new.name, new.note));
    assert_eq!((account.kind, account.base_url), (new.kind, new.base_url));
    assert_eq!((account.key_header, account.enabled), (new.key_header, new.enabled));
    assert_eq!((account.priority, account.weight), (new.priority, new.weight));
    assert_eq!((account.concurrency_max, account.sharing), (new.concurrency_max, new.sharing));
    assert_eq!((account.models, account.model_map), (new.models, new.model_map));
    assert_eq!((account.extra_headers, account.deadlines), (new.extra_headers, new.deadlines));
    assert_eq!((account.groups, account.created_at), (new.groups, START));

    store.close().await;
    let file = std::fs::read(dir.path().join("crs.db")).expect("the file");
    for hidden in ["signs in by", "x-team"] {
        let bytes = hidden.as_bytes();
        assert!(!file.windows(bytes.len()).any(|window| window == bytes), "{hidden} is in clear");
    }
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
        secret: Some(Secret::new("another way in for anna")),
        ..AccountChange::default()
    };
    assert!(store.change_account(id, &unlimited, minute(2)).await.expect("changed"));

    let mut expected = before.clone();
    expected.account.enabled = false;
    expected.account.concurrency_max = None;
    expected.account.deadlines =
        Deadlines { first_byte: None, unary: Some(Duration::from_secs(9)), idle: None };
    expected.secret = Secret::new("another way in for anna");
    expected.secret_tail = "anna".into();
    expected.updated_at = minute(2);
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
