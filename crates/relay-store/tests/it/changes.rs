use relay_core::id::KeyId;
use relay_store::accounts::AccountChange;
use relay_store::changes::{Change, Op, Subject};

use crate::accounts::account;
use crate::{START, Scratch, minute};

#[tokio::test]
async fn every_edit_is_told_in_order_and_nothing_else_is() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    assert_eq!(store.latest_change().await.expect("read"), 0);
    let group = store.add_group("team", START).await.expect("added");
    let anna = store.add_account(&account("anna"), START).await.expect("added");
    store.join_group(group, anna, START).await.expect("joined");
    store.note_account_reset(anna, START).await.expect("noted");
    store.change_account(anna, &AccountChange::default(), START).await.expect("changed");
    store.remove_group(group, START).await.expect("removed");
    store.remove_key(KeyId(7), START).await.expect("no such key");
    store.set_setting("colour", "blue", START).await.expect("set");
    store.set_price_override("m", "{}", START).await.expect("set");
    store.remove_account(anna, START).await.expect("removed");

    let changes = store.changes_since(0).await.expect("read");
    let told: Vec<_> = changes.iter().map(|it| (it.subject, it.id, it.op)).collect();
    let (group, anna) = (group.0, anna.0);
    let expected = [
        (Subject::Group, group, Op::Added),
        (Subject::Account, anna, Op::Added),
        (Subject::Account, anna, Op::Changed),
        (Subject::Account, anna, Op::Reset),
        (Subject::Account, anna, Op::Changed),
        (Subject::Account, anna, Op::Changed),
        (Subject::Group, group, Op::Removed),
        (Subject::Setting, 0, Op::Changed),
        (Subject::Price, 0, Op::Changed),
        (Subject::Account, anna, Op::Removed),
    ];
    assert_eq!(told, expected);

    let seen = changes[7].seq;
    let later: Vec<Change> = store.changes_since(seen).await.expect("read");
    assert_eq!(later, changes[8..]);
    assert_eq!(store.latest_change().await.expect("read"), changes[9].seq);
}

#[tokio::test]
async fn another_process_sees_an_edit_and_old_ones_are_forgotten() {
    let scratch = Scratch::new().await;
    let server = scratch.second().await;
    let seen = server.latest_change().await.expect("read");
    scratch.store.set_setting("colour", "blue", START).await.expect("set");
    scratch.store.set_setting("colour", "green", minute(1)).await.expect("set");
    assert_eq!(server.changes_since(seen).await.expect("read").len(), 2);

    let newest = server.latest_change().await.expect("read");
    assert_eq!(server.forget_changes_before(minute(9)).await.expect("forgotten"), 1);
    assert_eq!(server.latest_change().await.expect("read"), newest, "the count goes on");
}
