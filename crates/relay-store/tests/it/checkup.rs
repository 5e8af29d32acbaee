//! Looking at a database without writing to it.

use std::fs;

use relay_store::StoreError;
use relay_store::checkup::{Checkup, Schema};

use crate::{Scratch, master, master_of};

#[tokio::test]
async fn a_closed_database_is_read_through_and_not_touched() {
    let scratch = Scratch::new().await;
    scratch.store.close().await;
    let before = scratch.contents();
    let checkup = Checkup::open(&scratch.path()).expect("opens");
    assert_eq!(checkup.schema().await.expect("a schema"), Schema::Current);
    assert_eq!(checkup.integrity().await.expect("read"), None);
    assert_eq!(checkup.newest_call().await.expect("read"), None);
    assert_eq!(checkup.log_bytes(), 0);
    let records = checkup.records(&master()).await.expect("the right key");
    assert!(records.accounts().await.expect("read").is_empty());
    assert!(records.set_setting("colour", "blue", crate::START).await.is_err(), "it cannot write");
    let other = master_of("other words than the ones it was made with");
    let refused = checkup.records(&other).await.expect_err("refused");
    assert!(matches!(refused, StoreError::WrongMasterKey { .. }), "{refused:?}");
    assert!(scratch.contents() == before, "the directory was changed");
}

#[tokio::test]
async fn a_database_in_use_is_read_with_its_log() {
    let scratch = Scratch::new().await;
    scratch.store.set_setting("colour", "blue", crate::START).await.expect("set");
    let checkup = Checkup::open(&scratch.path()).expect("opens");
    assert!(checkup.log_bytes() > 0);
    let records = checkup.records(&master()).await.expect("the right key");
    assert_eq!(records.setting("colour").await.expect("read").as_deref(), Some("blue"));
}

#[tokio::test]
async fn what_is_no_database_is_told() {
    let scratch = Scratch::new().await;
    let missing = Checkup::open(&scratch.dir.path().join("none.db")).expect_err("refused");
    assert!(matches!(missing, StoreError::Missing { .. }), "{missing:?}");
    let path = scratch.dir.path().join("text.db");
    fs::write(&path, "this is no database".repeat(999)).expect("written");
    assert!(Checkup::open(&path).expect("looked at").schema().await.is_err());
}
