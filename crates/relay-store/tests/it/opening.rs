use std::fs;
use std::os::unix::fs::PermissionsExt;

use relay_store::{Store, StoreError};

use crate::{START, Scratch, master, master_of};

#[tokio::test]
async fn a_first_start_makes_one_pepper_and_later_ones_keep_it() {
    let scratch = Scratch::new().await;
    let first = scratch.store.peppers().await.expect("peppers");
    assert_eq!(first.len(), 1);
    scratch.store.close().await;
    let again = Store::open(&scratch.path(), &master(), START).await.expect("opens");
    let second = again.peppers().await.expect("peppers");
    assert_eq!(first[0].id, second[0].id);
    assert!(first[0].secret == second[0].secret);
}

#[tokio::test]
async fn the_files_are_for_their_owner_alone() {
    let scratch = Scratch::new().await;
    for entry in fs::read_dir(scratch.dir.path()).expect("the directory") {
        let entry = entry.expect("an entry");
        let mode = entry.metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?}", entry.file_name());
    }
}

#[tokio::test]
async fn a_wrong_master_key_touches_nothing() {
    let scratch = Scratch::new().await;
    scratch.store.close().await;
    let before = scratch.contents();
    let other = master_of("other words than the ones it was made with");
    let refused = Store::open(&scratch.path(), &other, START).await.expect_err("refused");
    assert!(matches!(refused, StoreError::WrongMasterKey { .. }), "{refused:?}");
    assert!(refused.to_string().contains("nothing was changed"), "{refused}");
    assert_eq!(scratch.contents(), before);
    Store::open(&scratch.path(), &master(), START).await.expect("the right key still opens it");
}

#[tokio::test]
async fn a_wrong_master_key_touches_no_log_that_a_crash_left() {
    let scratch = Scratch::new().await;
    scratch.store.set_setting("colour", "blue", START).await.expect("set");
    // What a crash leaves: the files as they are while the database is open.
    let crashed = tempfile::tempdir().expect("a temporary directory");
    for name in ["crs.db", "crs.db-wal"] {
        fs::copy(scratch.dir.path().join(name), crashed.path().join(name)).expect("copied");
    }
    let (path, log) = (crashed.path().join("crs.db"), crashed.path().join("crs.db-wal"));
    let before = (fs::read(&path).expect("a file"), fs::read(&log).expect("a log"));
    assert!(!before.1.is_empty());

    let other = master_of("other words than the ones it was made with");
    let refused = Store::open(&path, &other, START).await.expect_err("refused");
    assert!(matches!(refused, StoreError::WrongMasterKey { .. }), "{refused:?}");
    assert!(before == (fs::read(&path).expect("a file"), fs::read(&log).expect("a log")));
    let store = Store::open(&path, &master(), START).await.expect("the right key opens it");
    assert_eq!(store.setting("colour").await.expect("read").as_deref(), Some("blue"));
}

#[tokio::test]
async fn only_open_makes_a_database() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("crs.db");
    let refused = Store::open_existing(&path, &master(), START).await.expect_err("refused");
    assert!(matches!(refused, StoreError::Missing { .. }), "{refused:?}");
    assert_eq!(fs::read_dir(dir.path()).expect("the directory").count(), 0);
}

#[tokio::test]
async fn a_newer_schema_and_a_foreign_database_are_refused_in_words() {
    let scratch = Scratch::new().await;
    scratch.store.close().await;
    scratch.run("insert into schema_versions values (9999, 'later', 0)").await;
    let before = scratch.contents();
    let refused = Store::open(&scratch.path(), &master(), START).await.expect_err("refused");
    assert!(refused.to_string().contains("newer release"), "{refused}");
    assert_eq!(scratch.contents(), before);

    scratch.run("drop table schema_versions").await;
    let refused = Store::open(&scratch.path(), &master(), START).await.expect_err("refused");
    assert!(matches!(refused, StoreError::Foreign { .. }), "{refused:?}");
}

#[tokio::test]
async fn two_first_starts_at_once_agree_on_one_pepper() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("crs.db");
    let master = master();
    let (one, two) =
        tokio::join!(Store::open(&path, &master, START), Store::open(&path, &master, START));
    for store in [one.expect("opens"), two.expect("opens")] {
        assert_eq!(store.peppers().await.expect("peppers").len(), 1);
        assert_eq!(store.integrity().await.expect("checked"), None);
        store.checkpoint().await.expect("checkpoint");
    }
}
