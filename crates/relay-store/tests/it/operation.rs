use relay_core::event::Event;
use relay_core::id::{AccountId, KeyId, SessionId};
use relay_store::StoreError;
use relay_store::outbox::OUTBOX_MAX;
use relay_store::pins::{Pin, PinChange};
use relay_store::prices::PriceList;
use relay_store::refusals::RefusalCount;

use crate::{START, Scratch, minute};

#[tokio::test]
async fn settings_keep_their_last_value() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    assert_eq!(store.setting("colour").await.expect("read"), None);
    store.set_setting("colour", "blue", START).await.expect("set");
    store.set_setting("colour", "green", START).await.expect("set");
    assert_eq!(store.setting("colour").await.expect("read").as_deref(), Some("green"));
}

#[tokio::test]
async fn an_administrator_gets_another_password() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    assert!(!store.has_admin().await.expect("read"));
    let id = store.add_admin("root", "first hash", START).await.expect("added");
    assert!(store.has_admin().await.expect("read"));
    let again = store.add_admin("root", "other hash", START).await;
    assert!(matches!(again, Err(StoreError::NameTaken(_))), "{again:?}");
    assert!(store.set_password("root", "second hash", minute(1)).await.expect("set"));
    assert!(!store.set_password("nobody", "hash", minute(1)).await.expect("no such"));
    let found = store.find_admin("root").await.expect("read").expect("there");
    assert_eq!((found.id, found.password_hash.as_str()), (id, "second hash"));
    assert_eq!((found.created_at, found.password_changed_at), (START, minute(1)));
    assert!(!format!("{found:?}").contains("hash"), "a hash is not for logs");
}

#[tokio::test]
async fn events_wait_until_they_are_delivered() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    let events = [Event::KeyDisabled { key: KeyId(1) }, Event::KeyDisabled { key: KeyId(2) }];
    for event in &events {
        store.emit(event, START).await.expect("put");
    }
    let pending = store.pending_events(10).await.expect("read");
    assert_eq!(pending.iter().map(|it| it.event.clone()).collect::<Vec<_>>(), events);
    store.note_delivered(pending[0].id, minute(1)).await.expect("noted");
    assert_eq!(store.pending_events(10).await.expect("read"), pending[1..]);
}

#[tokio::test]
async fn the_outbox_drops_the_oldest_when_it_is_full() {
    use sqlx::{ConnectOptions, Connection};
    let scratch = Scratch::new().await;
    let first = Event::KeyDisabled { key: KeyId(1) };
    scratch.store.emit(&first, START).await.expect("put");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(scratch.path());
    let mut connection = options.connect().await.expect("a connection");
    sqlx::query(
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < $1)
         insert into outbox (name, event, at) select o.name, o.event, o.at from n, outbox o",
    )
    .bind(OUTBOX_MAX - 1)
    .execute(&mut connection)
    .await
    .expect("filled");
    connection.close().await.expect("closed");
    let before = scratch.store.pending_events(1).await.expect("read")[0].id;
    scratch.store.emit(&first, START).await.expect("put");
    let pending = scratch.store.pending_events(u32::MAX).await.expect("read");
    assert_eq!(i64::try_from(pending.len()), Ok(OUTBOX_MAX));
    assert!(pending[0].id > before);
}

#[tokio::test]
async fn prices_are_set_and_removed_and_the_last_list_counts() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    store.set_price_override("b", "{\"input\":1}", START).await.expect("set");
    store.set_price_override("a", "{}", START).await.expect("set");
    store.set_price_override("b", "{\"input\":2}", minute(1)).await.expect("set");
    let set = store.price_overrides().await.expect("read");
    let set: Vec<_> = set.iter().map(|it| (it.model.as_str(), it.price.as_str())).collect();
    assert_eq!(set, [("a", "{}"), ("b", "{\"input\":2}")]);
    assert!(store.remove_price_override("a", START).await.expect("removed"));
    assert!(!store.remove_price_override("a", START).await.expect("was removed"));

    assert_eq!(store.latest_price_list().await.expect("read"), None);
    let list = |version: i32| PriceList {
        source: "a file".into(),
        version: version.to_string(),
        body: vec![0xff; 3],
    };
    for version in 0..5 {
        store.import_price_list(&list(version), START).await.expect("imported");
    }
    assert_eq!(store.latest_price_list().await.expect("read"), Some(list(4)));
}

#[tokio::test]
async fn pins_outlive_a_start_until_they_expire() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    let pin = |number, account, expires_at| Pin {
        session: SessionId([number; 16]),
        account: AccountId(account),
        expires_at,
    };
    let (one, two, moved) = (pin(1, 1, minute(1)), pin(2, 1, minute(9)), pin(2, 2, minute(10)));
    let (three, four) = (pin(3, 3, minute(9)), pin(4, 1, minute(20)));
    store.save_pins(&[one, two, four].map(PinChange::Set)).await.expect("saved");
    let changes = [PinChange::Set(moved), PinChange::Set(three), PinChange::Removed(four.session)];
    store.save_pins(&changes).await.expect("saved");
    assert_eq!(store.load_pins(minute(1)).await.expect("read"), [moved, three]);
    assert_eq!(store.prune_pins(minute(9)).await.expect("pruned"), 2);
    assert_eq!(store.load_pins(START).await.expect("read"), [moved]);
}

#[tokio::test]
async fn refusals_are_counted_by_hour_key_and_reason() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    let count = |key, reason: &str, calls| RefusalCount {
        hour: START,
        key: KeyId(key),
        reason: reason.into(),
        calls,
    };
    let first = [count(1, "key_disabled", 2), count(1, "key_expired", 1)];
    store.count_refusals(&first).await.expect("counted");
    store
        .count_refusals(&[count(1, "key_disabled", 3), count(2, "key_disabled", 1)])
        .await
        .expect("counted");
    let counted = store.refusals_since(START).await.expect("read");
    let expected =
        [count(1, "key_disabled", 5), count(1, "key_expired", 1), count(2, "key_disabled", 1)];
    assert_eq!(counted, expected);
    assert_eq!(store.refusals_since(minute(1)).await.expect("read"), []);
}
