use std::time::Duration;

use relay_store::Store;
use sqlx::{ConnectOptions, Connection};

use crate::accounts::account;
use crate::{START, Scratch, position, record};

#[tokio::test]
async fn a_lock_that_is_given_up_in_time_is_waited_for() {
    let scratch = Scratch::new().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(scratch.path());
    let mut other = options.connect().await.expect("a connection");
    sqlx::query("begin exclusive").execute(&mut other).await.expect("the lock");
    let (store, records) = (scratch.store.clone(), [record(1), record(2)]);
    let ingesting = tokio::spawn(async move { store.ingest(&records, position(1)).await });
    let waited = tokio::time::timeout(Duration::from_millis(100), async {
        while !ingesting.is_finished() {
            tokio::task::yield_now().await;
        }
    });
    assert!(waited.await.is_err(), "nothing is written while another has the lock");
    assert_eq!(scratch.store.journal_position().await.expect("reading goes on"), None);
    sqlx::query("rollback").execute(&mut other).await.expect("the lock is given up");
    other.close().await.expect("closed");
    let done = ingesting.await.expect("no panic").expect("written");
    assert_eq!(done.inserted, 2);
}

#[tokio::test]
async fn a_server_and_a_command_write_at_the_same_time() {
    async fn serve(store: Store) {
        for number in 0..40 {
            let records = [record(number), record(number + 1)];
            store.ingest(&records, position(u64::from(number))).await.expect("written");
        }
    }
    async fn command(store: Store) {
        for number in 0..40 {
            store.add_account(&account(&format!("a{number}")), START).await.expect("added");
        }
    }
    let scratch = Scratch::new().await;
    let second = scratch.second().await;
    let (serving, commanding) =
        (tokio::spawn(serve(scratch.store.clone())), tokio::spawn(command(second)));
    serving.await.expect("no panic");
    commanding.await.expect("no panic");
    assert_eq!(scratch.store.accounts().await.expect("read").len(), 40);
    assert_eq!(scratch.store.journal_position().await.expect("read"), Some(position(39)));
    for number in 0..=40 {
        let call = record(number).call;
        assert!(scratch.store.call(call).await.expect("read").is_some(), "{number}");
    }
}
