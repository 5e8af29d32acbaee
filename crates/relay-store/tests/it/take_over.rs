use std::fs;

use relay_core::credential::{Credential, SignOutCause, SignedOut};
use relay_core::id::AccountId;
use relay_store::Store;
use relay_store::changes::Op;
use relay_store::credential_log::{CredentialLog, Stage};
use relay_store::data_dir::DataDir;
use relay_store::vault::Vault;

use crate::accounts::account;
use crate::credentials::{add, pair, read, sign_in};
use crate::{START, Scratch, master, minute};

fn open(scratch: &Scratch) -> CredentialLog {
    let dir = DataDir::open(scratch.dir.path()).expect("the directory");
    CredentialLog::open(dir.credentials(), Vault::new(&master())).expect("a record")
}

/// Takes over twice, as a start does that is cut off and tried again.
async fn take_over(store: &Store, log: &CredentialLog) -> Vec<AccountId> {
    let first = store.take_over(log, minute(9)).await.expect("taken over");
    let changes = store.latest_change().await.expect("read");
    assert_eq!(store.take_over(log, minute(9)).await.expect("taken over again"), first);
    assert_eq!(store.latest_change().await.expect("read"), changes, "nothing is done twice");
    first
}

fn is_clear(log: &CredentialLog) -> bool {
    log.pending().expect("read").is_empty()
}

#[tokio::test]
async fn a_pair_that_the_database_lacks_is_written_at_the_next_start() {
    let scratch = Scratch::new().await;
    let (store, anna) = (&scratch.store, add(&scratch.store, "anna").await);
    open(&scratch).begin(anna, 1).expect("noted");
    open(&scratch).finish(anna, 1, &pair("the next")).expect("noted");

    let log = open(&scratch);
    assert_eq!(take_over(store, &log).await, []);
    assert!(is_clear(&log));
    let found = read(store, anna).await;
    assert_eq!(found.credential, Credential::Tokens(pair("the next")));
    assert_eq!(found.credential_version, 2);
    let told = store.changes_since(0).await.expect("read");
    assert_eq!(told.iter().map(|it| it.op).collect::<Vec<_>>(), [Op::Added, Op::Refreshed]);
}

#[tokio::test]
async fn a_pair_that_the_database_has_is_not_written_again() {
    let scratch = Scratch::new().await;
    let (store, log) = (&scratch.store, open(&scratch));
    let anna = add(store, "anna").await;
    log.finish(anna, 1, &pair("the next")).expect("noted");
    assert!(store.adopt_refreshed(anna, 1, &pair("the next"), START).await.expect("yes"));
    let before = read(store, anna).await;
    assert_eq!(take_over(store, &log).await, []);
    assert!(is_clear(&log));
    assert_eq!(read(store, anna).await, before);
}

#[tokio::test]
async fn a_refresh_of_which_nobody_knows_the_end_is_tried_once_more() {
    let scratch = Scratch::new().await;
    let (store, log) = (&scratch.store, open(&scratch));
    let anna = add(store, "anna").await;
    log.begin(anna, 1).expect("noted");
    assert_eq!(take_over(store, &log).await, [anna]);
    // The trial is noted like any refresh, and what it finds out settles it.
    log.begin(anna, 1).expect("noted");
    let refused = SignedOut { at: minute(9), cause: SignOutCause::RefreshRefused };
    assert!(store.sign_out(anna, 1, refused, minute(9)).await.expect("written"));
    assert_eq!(take_over(store, &log).await, []);
    assert!(is_clear(&log));
}

#[tokio::test]
async fn several_refreshes_while_the_database_was_away_are_taken_over() {
    let scratch = Scratch::new().await;
    let (store, log) = (&scratch.store, open(&scratch));
    let anna = add(store, "anna").await;
    for version in 1..=3 {
        log.begin(anna, version).expect("noted");
        log.finish(anna, version, &pair(&format!("pair {version}"))).expect("noted");
    }
    log.begin(anna, 4).expect("noted");
    assert_eq!(take_over(store, &log).await, [anna]);
    let found = read(store, anna).await;
    assert_eq!(found.credential, Credential::Tokens(pair("pair 3")));
    assert_eq!(found.credential_version, 4);
    let pending = log.pending().expect("read");
    assert!(matches!(pending[..], [ref it] if matches!(it.stage, Stage::Begun { version: 4 })));
}

#[tokio::test]
async fn a_sign_in_is_stronger_than_any_refresh_of_the_one_before() {
    let scratch = Scratch::new().await;
    let (store, log) = (&scratch.store, open(&scratch));
    let (anna, bert) = (add(store, "anna").await, add(store, "bert").await);
    log.finish(anna, 1, &pair("late")).expect("noted");
    // As far ahead as to reach what counting on would have given the sign-in.
    log.finish(bert, 2, &pair("late")).expect("noted");
    log.begin(bert, 3).expect("noted");
    for id in [anna, bert] {
        sign_in(store, id, "a person").await;
    }
    let before = (read(store, anna).await, read(store, bert).await);
    assert_eq!(take_over(store, &log).await, []);
    assert!(is_clear(&log));
    assert_eq!((read(store, anna).await, read(store, bert).await), before);
}

#[tokio::test]
async fn what_is_noted_of_accounts_that_are_gone_goes_too() {
    let scratch = Scratch::new().await;
    let (store, log) = (&scratch.store, open(&scratch));
    let (anna, bert) = (add(store, "anna").await, add(store, "bert").await);
    let key = store.add_account(&account("key"), START).await.expect("added");
    log.finish(anna, 1, &pair("the next")).expect("noted");
    log.begin(bert, 1).expect("noted");
    log.finish(key, 1, &pair("not for keys")).expect("noted");
    for id in [anna, bert] {
        assert!(store.remove_account(id, START).await.expect("removed"));
    }
    fs::write(scratch.dir.path().join("credentials/acct_99"), "nothing").expect("written");
    let before = read(store, key).await;
    assert_eq!(take_over(store, &log).await, []);
    assert!(is_clear(&log));
    assert_eq!(store.accounts().await.expect("read"), [before]);
}

#[tokio::test]
async fn a_damaged_file_counts_as_begun_and_stops_no_other() {
    let scratch = Scratch::new().await;
    let (store, log) = (&scratch.store, open(&scratch));
    let (anna, bert) = (add(store, "anna").await, add(store, "bert").await);
    for id in [anna, bert] {
        log.finish(id, 1, &pair("the next")).expect("noted");
    }
    let path = scratch.dir.path().join(format!("credentials/{anna}"));
    let whole = fs::read(&path).expect("the file");
    fs::write(&path, &whole[..whole.len() / 2]).expect("written");
    assert_eq!(take_over(store, &log).await, [anna]);
    assert_eq!(read(store, bert).await.credential, Credential::Tokens(pair("the next")));
    assert_eq!(read(store, anna).await.credential, Credential::Tokens(pair("the first")));
    log.begin(anna, 1).expect("the trial is noted over it");
    log.finish(anna, 1, &pair("found anew")).expect("noted");
    assert_eq!(take_over(store, &log).await, []);
    assert_eq!(read(store, anna).await.credential, Credential::Tokens(pair("found anew")));
}
