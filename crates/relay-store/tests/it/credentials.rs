use relay_core::account::AccountKind;
use relay_core::clock::Timestamp;
use relay_core::credential::{Credential, Identity, SignOutCause, SignedOut, Tokens};
use relay_core::event::Ending;
use relay_core::id::AccountId;
use relay_core::secret::Secret;
use relay_store::accounts::{AccountChange, NewAccount, StoredAccount};
use relay_store::changes::Op;
use relay_store::{Store, StoreError};

use crate::accounts::{account, api_key, bytes_in, proxy, shows};
use crate::{START, Scratch, minute};

/// A pair of tokens; each word gives another one.
pub(crate) fn pair(word: &str) -> Tokens {
    Tokens {
        access: Secret::new(format!("goes along with {word}")),
        refresh: Some(Secret::new(format!("buys the next of {word}"))),
        expires_at: Some(minute(480)),
        obtained_at: START,
        client_secret: None,
    }
}

/// An account that was signed in to.
pub(crate) fn signed_in(name: &str) -> NewAccount {
    NewAccount {
        kind: AccountKind::ClaudeOauth,
        credential: Credential::Tokens(pair("the first")),
        ..account(name)
    }
}

/// Adds an account that was signed in to.
pub(crate) async fn add(store: &Store, name: &str) -> AccountId {
    store.add_account(&signed_in(name), START).await.expect("added")
}

/// The account as it stands.
pub(crate) async fn read(store: &Store, id: AccountId) -> StoredAccount {
    store.account(id).await.expect("read").expect("there")
}

/// Signs in to an account anew, as another process would.
pub(crate) async fn sign_in(store: &Store, id: AccountId, word: &str) {
    let change = AccountChange {
        credential: Some(Credential::Tokens(pair(word))),
        ..AccountChange::default()
    };
    assert!(store.change_account(id, &change, minute(5)).await.expect("changed"));
}

const REFUSED: SignedOut = SignedOut { at: START, cause: SignOutCause::RefreshRefused };

#[tokio::test]
async fn tokens_read_back_and_stand_nowhere_in_clear() {
    let Scratch { store, dir } = Scratch::new().await;
    let anna = add(&store, "anna").await;
    assert_eq!(read(&store, anna).await.credential, Credential::Tokens(pair("the first")));
    let setup = Tokens { refresh: None, expires_at: None, ..pair("a setup") };
    assert!(store.adopt_refreshed(anna, 1, &setup, minute(1)).await.expect("written"));
    let found = read(&store, anna).await;
    assert_eq!((found.credential, found.credential_version), (Credential::Tokens(setup), 2));
    assert_eq!(found.secret_tail, "etup");

    let with_log = bytes_in(dir.path());
    store.close().await;
    for bytes in [with_log, bytes_in(dir.path())] {
        for hidden in ["goes along", "buys the next", "access_token", "the first"] {
            assert!(!shows(&bytes, hidden), "{hidden} is in clear");
        }
    }
}

#[tokio::test]
async fn a_refresh_gives_the_next_version_and_is_told_as_such() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    let anna = add(&store, "anna").await;
    let before = read(&store, anna).await;
    assert!(store.sign_out(anna, 1, REFUSED, START).await.expect("written"));
    let seen = store.latest_change().await.expect("read");
    assert!(store.adopt_refreshed(anna, 1, &pair("the next"), minute(1)).await.expect("yes"));
    let mut expected = before;
    expected.credential = Credential::Tokens(pair("the next"));
    expected.credential_version = 2;
    expected.secret_tail = "next".into();
    assert_eq!(read(&store, anna).await, expected, "and nobody is signed out");
    let told = store.changes_since(seen).await.expect("read");
    assert_eq!(told.iter().map(|it| (it.id, it.op)).collect::<Vec<_>>(), [(anna.0, Op::Refreshed)]);

    assert!(!store.adopt_refreshed(anna, 1, &pair("late"), minute(2)).await.expect("no"));
    assert!(!store.adopt_refreshed(AccountId(9), 1, &pair("x"), START).await.expect("no"));
    assert_eq!(read(&store, anna).await, expected);
    assert_eq!(store.changes_since(told[0].seq).await.expect("read"), []);
}

#[tokio::test]
async fn a_sign_in_during_a_refresh_wins() {
    let scratch = Scratch::new().await;
    let (store, person) = (&scratch.store, scratch.second().await);
    let anna = add(store, "anna").await;
    let version = read(store, anna).await.credential_version;
    sign_in(&person, anna, "a person").await;
    let after = read(store, anna).await;
    assert!(after.credential_version > version);

    assert!(!store.adopt_refreshed(anna, version, &pair("late"), START).await.expect("no"));
    assert!(!store.sign_out(anna, version, REFUSED, START).await.expect("no"));
    let other = Identity { email: "other@example.org".into(), ..Identity::default() };
    assert!(!store.set_identity(anna, version, &other, START).await.expect("no"));
    // A server that is some refreshes ahead of the database does not reach a later sign-in either.
    for ahead in 1..10 {
        let late = pair("late");
        assert!(!store.adopt_refreshed(anna, version + ahead, &late, START).await.expect("no"));
    }
    assert_eq!(read(store, anna).await, after);
}

#[tokio::test]
async fn a_database_that_was_away_takes_the_last_of_several_refreshes() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    let anna = add(&store, "anna").await;
    assert!(store.adopt_refreshed(anna, 4, &pair("the fourth"), START).await.expect("written"));
    let found = read(&store, anna).await;
    assert_eq!(found.credential, Credential::Tokens(pair("the fourth")));
    assert_eq!(found.credential_version, 5);
    assert!(!store.adopt_refreshed(anna, 4, &pair("again"), START).await.expect("it was taken"));
}

#[tokio::test]
async fn one_of_several_who_find_an_account_signed_out_is_told_so() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    let anna = add(&store, "anna").await;
    assert!(store.sign_out(anna, 1, REFUSED, START).await.expect("written"));
    let again = SignedOut { at: minute(1), cause: SignOutCause::Expired };
    assert!(!store.sign_out(anna, 1, again, minute(1)).await.expect("known"));
    let found = read(&store, anna).await;
    assert_eq!(found.signed_out, Some(REFUSED));
    assert_eq!(found.credential, Credential::Tokens(pair("the first")), "the tokens stay");
    assert!(found.account.enabled, "the operator's switch is the operator's");

    assert!(
        store.mark_warned(anna, (Ending::Subscription, minute(60)), START).await.expect("written")
    );
    sign_in(&store, anna, "a person").await;
    let found = read(&store, anna).await;
    assert_eq!((found.signed_out, found.identity, found.warned_of), (None, None, None));
    let expired = SignedOut { at: minute(1), cause: SignOutCause::Expired };
    let version = found.credential_version;
    assert!(store.sign_out(anna, version, expired, minute(1)).await.expect("written"));
    assert_eq!(read(&store, anna).await.signed_out, Some(expired));
}

#[tokio::test]
async fn an_identity_is_told_once() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    let anna = add(&store, "anna").await;
    let identity = Identity {
        email: "anna@example.org".into(),
        organisation: "Example".into(),
        plan: "claude_max".into(),
        tier: "default_claude_max_20x".into(),
        ..Identity::default()
    };
    let before = store.latest_change().await.expect("read");
    for _ in 0..3 {
        assert!(store.set_identity(anna, 1, &identity, minute(1)).await.expect("written"));
    }
    assert_eq!(store.changes_since(before).await.expect("read").len(), 1);
    assert_eq!(read(&store, anna).await.identity, Some(identity));
}

#[tokio::test]
async fn people_are_warned_once_of_each_ending() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    let anna = add(&store, "anna").await;
    let before = store.latest_change().await.expect("read");
    assert!(
        store.mark_warned(anna, (Ending::Subscription, minute(60)), START).await.expect("written")
    );
    assert!(
        !store.mark_warned(anna, (Ending::Subscription, minute(60)), START).await.expect("known")
    );
    assert_eq!(store.latest_change().await.expect("read"), before);
    assert_eq!(read(&store, anna).await.warned_of, Some(minute(60)));

    let ends = |at: Option<Timestamp>| AccountChange { ends_at: Some(at), ..Default::default() };
    store.change_account(anna, &ends(Some(minute(60))), START).await.expect("changed");
    assert_eq!(read(&store, anna).await.warned_of, Some(minute(60)), "it is the same ending");
    store.change_account(anna, &ends(Some(minute(90))), START).await.expect("changed");
    assert_eq!(read(&store, anna).await.warned_of, None);
    assert!(
        store.mark_warned(anna, (Ending::Subscription, minute(90)), START).await.expect("written")
    );
    store.change_account(anna, &ends(None), START).await.expect("changed");
    assert_eq!(read(&store, anna).await.warned_of, None);
    assert!(
        !store
            .mark_warned(AccountId(9), (Ending::Subscription, minute(60)), START)
            .await
            .expect("no such")
    );
}

#[tokio::test]
async fn what_a_kind_does_not_sign_in_by_is_refused() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    let anna = add(&store, "anna").await;
    let bert = store.add_account(&account("bert"), START).await.expect("added");
    let (oauth, key) = (read(&store, anna).await, read(&store, bert).await);
    let check = |refused: Result<bool, StoreError>| {
        let refused = refused.expect_err("refused");
        assert!(matches!(refused, StoreError::WrongCredential(_)), "{refused:?}");
    };
    let tokens = Credential::Tokens(pair("x"));
    for (id, credential) in [(anna, api_key("a key")), (bert, tokens.clone())] {
        let change = AccountChange {
            credential: Some(credential),
            enabled: Some(false),
            ..Default::default()
        };
        check(store.change_account(id, &change, START).await);
    }
    check(store.adopt_refreshed(bert, 1, &pair("x"), START).await);
    let (kind, url) = (AccountKind::ClaudeApi, "http://127.0.0.1:1");
    let carl = NewAccount::signed_in("carl", kind, url, tokens);
    check(store.add_account(&carl, START).await.map(|_| true));
    assert_eq!(store.accounts().await.expect("read"), [oauth, key], "nothing was written");
}

#[tokio::test]
async fn tokens_of_another_row_do_not_open() {
    let scratch = Scratch::new().await;
    let (anna, bert) = (add(&scratch.store, "anna").await, add(&scratch.store, "bert").await);
    scratch
        .run(
            "update accounts set sealed_secret =
                 (select sealed_secret from accounts where name = 'anna') where name = 'bert'",
        )
        .await;
    let refused = scratch.store.account(bert).await.expect_err("refused");
    assert!(matches!(refused, StoreError::Sealed(_)), "{refused:?}");
    read(&scratch.store, anna).await;
}

#[tokio::test]
async fn edits_during_refreshes_are_not_lost() {
    async fn edit(store: Store, id: AccountId) {
        for number in 1..=30 {
            let change = AccountChange {
                priority: Some(number),
                note: Some(format!("edit {number}")),
                enabled: Some(number % 2 == 1),
                proxy: Some((number % 2 == 0).then(proxy)),
                ..AccountChange::default()
            };
            assert!(store.change_account(id, &change, minute(1)).await.expect("changed"));
        }
    }
    async fn refresh(store: Store, id: AccountId) {
        for version in 1..=30 {
            let tokens = pair(&format!("number {version}"));
            let written = store.adopt_refreshed(id, version, &tokens, START).await;
            assert!(written.expect("written"), "{version}");
            assert!(store.sign_out(id, version + 1, REFUSED, START).await.expect("written"));
            store.save_account_notes(&[(id, version.to_string())], START).await.expect("saved");
        }
    }
    let scratch = Scratch::new().await;
    let anna = add(&scratch.store, "anna").await;
    let person = tokio::spawn(edit(scratch.second().await, anna));
    let server = tokio::spawn(refresh(scratch.store.clone(), anna));
    person.await.expect("no panic");
    server.await.expect("no panic");
    let found = read(&scratch.store, anna).await;
    assert_eq!((found.account.priority, found.account.note.as_str()), (30, "edit 30"));
    assert_eq!((found.account.enabled, found.account.proxy), (false, Some(proxy())));
    assert_eq!(found.credential, Credential::Tokens(pair("number 30")));
    assert_eq!((found.credential_version, found.signed_out), (31, Some(REFUSED)));
    let notes = scratch.store.account_notes().await.expect("read");
    assert_eq!(notes, [(anna, "30".to_owned())]);
}

#[tokio::test]
async fn notes_are_of_accounts_that_there_are() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    let (anna, bert) = (add(&store, "anna").await, add(&store, "bert").await);
    let carl = add(&store, "carl").await;
    store.remove_account(carl, START).await.expect("removed");
    let all = |text: &str| [anna, bert, carl, AccountId(99)].map(|id| (id, text.to_owned()));
    let before = store.latest_change().await.expect("read");
    store.save_account_notes(&[], START).await.expect("nothing to save");
    store.save_account_notes(&all("{\"rests\":1}"), START).await.expect("saved");
    store.save_account_notes(&all("{\"rests\":2}"), minute(1)).await.expect("saved");
    store.save_account_notes(&[(bert, "其他".into())], minute(2)).await.expect("saved");
    let expected = [(anna, "{\"rests\":2}".to_owned()), (bert, "其他".to_owned())];
    assert_eq!(store.account_notes().await.expect("read"), expected);
    assert_eq!(store.latest_change().await.expect("read"), before, "notes are no edits");

    store.note_account_reset(anna, START).await.expect("reset");
    assert_eq!(store.account_notes().await.expect("read"), expected[1..]);
    store.remove_account(bert, START).await.expect("removed");
    assert_eq!(store.account_notes().await.expect("read"), []);
}

#[tokio::test]
async fn a_removed_account_keeps_nothing_that_signs_in_or_says_whose_it_was() {
    let scratch = Scratch::new().await;
    let store = &scratch.store;
    let anna = add(store, "anna").await;
    store.sign_out(anna, 1, REFUSED, START).await.expect("written");
    store.mark_warned(anna, (Ending::Subscription, minute(60)), START).await.expect("written");
    store.save_account_notes(&[(anna, "{}".into())], START).await.expect("saved");
    store.remove_account(anna, START).await.expect("removed");
    // What is left, put where it can be read.
    scratch
        .run(
            "insert into settings (name, value, updated_at)
             select 'left', hex(sealed_secret) || hex(sealed_proxy) || hex(sealed_headers) ||
                 secret_tail || coalesce(identity, '') || coalesce(signed_out_cause, '') ||
                 coalesce(signed_out_at, '') || coalesce(warned_of, ''), 0
             from accounts",
        )
        .await;
    assert_eq!(store.setting("left").await.expect("read").as_deref(), Some(""));
    assert_eq!(store.account_notes().await.expect("read"), []);
    assert!(!store.adopt_refreshed(anna, 1, &pair("late"), START).await.expect("no"));
    assert!(!store.adopt_refreshed(anna, 1, &pair("late"), START).await.expect("no"));
    assert!(!store.sign_out(anna, 1, REFUSED, START).await.expect("no"));
    assert!(!store.set_identity(anna, 1, &Identity::default(), START).await.expect("no"));
}
