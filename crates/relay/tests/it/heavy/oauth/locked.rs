//! Refreshes while the database is locked: they wait for nothing, and nothing of them is lost.

use std::fs;

use relay_testkit::RefreshOutcome;

use super::{LONG, PATIENCE, SHORT, SIGN_OUTS_TOLD, SIGNED_OUT, SignedIn, is_empty};
use crate::heavy::books::Books;
use crate::heavy::site::until;

/// When a relay that was killed while its database was locked starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    WhileItIsLocked,
    AfterIt,
}

#[tokio::test]
async fn refreshes_go_on_while_the_database_is_locked_and_outlive_a_crash() {
    locked_out(Start::AfterIt).await;
}

#[tokio::test]
async fn a_relay_starts_with_what_it_refreshed_while_its_database_is_locked() {
    locked_out(Start::WhileItIsLocked).await;
}

async fn locked_out(start: Start) {
    const VERSION: &str = "select credential_version from accounts where name = 'a'";
    let mut site = SignedIn::with(&[("a", 1, SHORT)]).await;
    site.provider.until_outcomes(RefreshOutcome::Granted, 1).await;
    let mut lock = Books::open(&site.home.path().join("data")).await;
    lock.run("begin exclusive").await;
    let version = site.books.number(VERSION).await;
    for number in 0..4 {
        site.until_more_refreshes(1).await;
        assert_eq!(site.ask(&format!("locked {number}")).await, (200, "a".to_owned()));
    }
    site.until_no_refresh_is_near(&["a"]).await;
    site.relay.kill_9().await;
    assert_eq!(site.books.number(VERSION).await, version, "the lock did not hold");
    if start == Start::AfterIt {
        lock.run("rollback").await;
    }
    site.relay.restart().await;
    assert_eq!(site.ask("after the crash").await, (200, "a".to_owned()));
    site.until_more_refreshes(2).await;
    assert_eq!(site.ask("and later").await, (200, "a".to_owned()));
    if start == Start::WhileItIsLocked {
        assert_eq!(site.books.number(VERSION).await, version, "the lock did not hold");
        lock.run("rollback").await;
    }
    site.until_all_is_stored(&["a"]).await;
    let refreshes = i64::try_from(site.provider.refreshes().len()).expect("few");
    assert_eq!(site.books.number(VERSION).await, 1 + refreshes);
    site.assert_all_is_well().await;
}

#[tokio::test]
async fn a_pair_that_neither_disk_nor_database_takes_is_written_as_soon_as_one_does() {
    let mut site = SignedIn::with(&[("a", 1, SHORT)]).await;
    site.provider.until_outcomes(RefreshOutcome::Granted, 1).await;
    site.provider.sets_lifetime("a", LONG);
    let data_dir = site.home.path().join("data");
    let (credentials, away) = (data_dir.join("credentials"), data_dir.join("away"));
    let mut lock = Books::open(&data_dir).await;
    until("the database has the first pair", PATIENCE, async || is_empty(&credentials)).await;
    lock.run("begin exclusive").await;
    let gate = site.provider.holds_answers();
    gate.until_held(1).await;
    let pending = credentials.join("acct_1");
    let intent = fs::metadata(&pending).expect("the intent").len();
    fs::rename(&credentials, &away).expect("moved away");
    gate.release();
    site.relay.until_says("the next pair is not on disk").await;
    assert_eq!(site.ask("nobody took it").await, (200, "a".to_owned()));
    fs::rename(&away, &credentials).expect("moved back");
    until("the disk has the pair", PATIENCE, async || {
        fs::metadata(&pending).is_ok_and(|file| file.len() > intent + 50)
    })
    .await;
    site.relay.kill_9().await;
    lock.run("rollback").await;
    site.relay.restart().await;
    assert_eq!(site.ask("after the crash").await, (200, "a".to_owned()));
    until("no refresh is left on disk", PATIENCE, async || is_empty(&credentials)).await;
    site.assert_all_is_well().await;
}

#[tokio::test]
async fn a_sign_out_that_the_database_does_not_take_is_told_when_it_does() {
    let mut site = SignedIn::with(&[("a", 1, SHORT), ("b", 2, LONG)]).await;
    site.provider.until_outcomes(RefreshOutcome::Granted, 1).await;
    let mut lock = Books::open(&site.home.path().join("data")).await;
    lock.run("begin exclusive").await;
    site.until_more_refreshes(2).await;
    site.provider.refuses_refreshes("a");
    site.provider.until_outcomes(RefreshOutcome::Refused, 1).await;
    let asked = site.provider.refreshes().len();
    until("b serves", PATIENCE, async || site.ask("who serves").await == (200, "b".to_owned()))
        .await;
    assert_eq!(site.books.number(SIGNED_OUT).await, 0, "the lock did not hold");
    lock.run("rollback").await;
    until("people are told", PATIENCE, async || site.books.number(SIGN_OUTS_TOLD).await == 1).await;
    assert_eq!(site.books.number(SIGNED_OUT).await, 1);
    let credentials = site.home.path().join("data/credentials");
    until("no refresh is left on disk", PATIENCE, async || is_empty(&credentials)).await;
    site.relay.restart().await;
    assert_eq!(site.ask("after a restart").await, (200, "b".to_owned()));
    tokio::time::sleep(SHORT).await;
    assert_eq!(site.provider.refreshes().len(), asked, "nothing is tried any more");
    assert_eq!(site.books.number(SIGN_OUTS_TOLD).await, 1);
    assert_eq!(site.books.number(SIGNED_OUT).await, 1);
}
