//! What waits for the disk, and what does not.

use super::*;

fn fsync_home() -> Home {
    let mut home = Home::with_segments_of(2_000);
    home.options.durability = Durability::Fsync;
    home
}

#[tokio::test]
async fn without_fsync_nothing_waits() {
    let home = Home::new();
    let (journal, _) = home.open();
    let beyond = Position { segment: 99, offset: 0 };
    journal.durable(beyond).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_fsync_everyone_who_waits_is_told() {
    let home = fsync_home();
    let (journal, _) = home.open();
    let waiters: Vec<_> = (0..100)
        .map(|number| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let position = journal.append(&settled(number)).unwrap();
                journal.durable(position).await.unwrap();
                assert!(journal.inner.shared.sync.reached() >= position);
            })
        })
        .collect();
    for waiter in waiters {
        waiter.await.unwrap();
    }
    assert!(home.segments().len() > 3);
}

#[test]
fn segments_that_ended_since_the_last_sync_are_synced_too() {
    let home = fsync_home();
    let (journal, _) = home.open();
    for number in 0..20 {
        journal.append(&settled(number)).unwrap();
    }
    let unsynced = || journal.inner.shared.writer.lock().take_unsynced().files.len();
    assert_eq!(unsynced(), home.segments().len());
    assert_eq!(unsynced(), 1);
}

#[tokio::test]
async fn a_disk_that_did_not_confirm_is_not_believed_again() {
    let home = fsync_home();
    let (journal, _) = home.open();
    let confirmed = journal.append(&settled(1)).unwrap();
    journal.durable(confirmed).await.unwrap();
    // The directory cannot be synced any more, which a new segment asks for.
    fs::rename(home.path(), home.dir.path().join("away")).unwrap();
    journal.inner.shared.writer.lock().mark_dir_changed();
    let position = journal.append(&settled(2)).unwrap();
    assert!(matches!(journal.durable(position).await, Err(JournalError::Sync(_))));
    fs::rename(home.dir.path().join("away"), home.path()).unwrap();
    assert!(journal.inner.shared.sync().is_err());
    assert!(matches!(journal.durable(position).await, Err(JournalError::Sync(_))));
    journal.durable(confirmed).await.unwrap();
}

#[test]
fn the_thread_ends_with_the_journal() {
    let home = fsync_home();
    let (journal, _) = home.open();
    let shared = Arc::downgrade(&journal.inner.shared);
    drop(journal);
    assert_eq!(shared.strong_count(), 0);
}
