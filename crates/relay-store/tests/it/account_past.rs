//! What befell an account, and what its calls came to.

use relay_core::event::Event;
use relay_core::health::RestCause;
use relay_core::id::AccountId;
use relay_core::money::Money;
use relay_core::usage::{Attempt, CallRecord};
use relay_store::changes::Op;
use relay_store::rollups::AccountUse;

use crate::{Scratch, minute, position, record};

/// A call that failed on account 2 and was served by account 1.
fn moved_on(number: u8) -> CallRecord {
    let mut record = record(number);
    let failed = Attempt {
        account: AccountId(2),
        at: record.at,
        millis: 5,
        status: Some(529),
        fault: Some("overloaded".to_owned()),
        maybe_billed: false,
    };
    record.attempts.insert(0, failed);
    record
}

#[tokio::test]
async fn calls_that_failed_on_an_account_are_found_whoever_served_them() {
    let scratch = Scratch::new().await;
    let store = &scratch.store;
    let records = [record(1), moved_on(2), record(3), moved_on(4), moved_on(5)];
    store.ingest(&records, position(1)).await.expect("taken in");
    let found = async |account: i64, since: i64, limit: u32| {
        let found = store.calls_that_failed_on(AccountId(account), minute(since), limit).await;
        let found = found.expect("a query");
        found.iter().map(|it| it.at).collect::<Vec<_>>()
    };
    assert_eq!(found(2, 0, 10).await, [minute(5), minute(4), minute(2)]);
    assert_eq!(found(2, 4, 10).await, [minute(5), minute(4)]);
    assert_eq!(found(2, 0, 1).await, [minute(5)]);
    assert_eq!(found(22, 0, 10).await, []);
    let used = store.account_use_since(minute(0)).await.expect("a query");
    let five = AccountUse { calls: 5, tokens: 5 * 150, cost: Money::from_nanos(5_000) };
    assert_eq!(used.into_iter().collect::<Vec<_>>(), [(AccountId(1), five)]);
    assert!(store.account_use_since(minute(60)).await.expect("a query").is_empty());
}

#[tokio::test]
async fn events_and_edits_are_of_one_account_and_its_host() {
    let scratch = Scratch::new().await;
    let store = &scratch.store;
    let rest = |account| Event::AccountRested {
        account: AccountId(account),
        until: minute(9),
        cause: RestCause::RateLimited,
    };
    let host = |host: &str| Event::HostRested {
        host: host.to_owned(),
        until: minute(9),
        cause: RestCause::Overloaded,
    };
    let all = [rest(1), rest(11), host("a.test"), host("b.test"), rest(1)];
    for (number, event) in (1..).zip(&all) {
        store.emit(event, minute(number)).await.expect("emitted");
    }
    let found = store.account_events(AccountId(1), "a.test", 10).await.expect("a query");
    let found: Vec<_> = found.into_iter().map(|it| (it.event, it.at)).collect();
    let wanted = [(rest(1), minute(5)), (host("a.test"), minute(3)), (rest(1), minute(1))];
    assert_eq!(found, wanted);
    assert_eq!(store.account_events(AccountId(1), "", 1).await.expect("a query").len(), 1);
    assert_eq!(store.events_known_from().await.expect("a query"), None, "none was dropped");
    scratch.run("delete from outbox where id = 1").await;
    assert_eq!(store.events_known_from().await.expect("a query"), Some(minute(2)));

    store.note_account_reset(AccountId(1), minute(1)).await.expect("noted");
    store.note_account_reset(AccountId(2), minute(2)).await.expect("noted");
    let edits = async |since| store.account_edits_since(AccountId(1), minute(since)).await;
    assert_eq!(edits(0).await.expect("a query"), [(Op::Reset, minute(1))]);
    assert_eq!(edits(2).await.expect("a query"), []);
}
