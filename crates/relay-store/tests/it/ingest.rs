use proptest::collection::vec;
use proptest::prelude::*;
use relay_core::clock::Timestamp;
use relay_core::id::{AccountId, KeyId};
use relay_core::money::Money;
use relay_core::price::{PriceSource, PricedBy};
use relay_core::usage::{Attempt, CallRecord, Exactness, Outcome};
use sqlx::{ConnectOptions, Connection, Row};

use crate::{Scratch, position, record};

#[tokio::test]
async fn a_call_reads_back_as_it_was_recorded() {
    let Scratch { store, dir: _dir } = Scratch::new().await;
    let bare = CallRecord {
        session: None,
        first_byte_millis: None,
        model_served: String::new(),
        attempts: Vec::new(),
        outcome: Outcome::Crashed,
        exactness: Exactness::Reserved,
        ..record(2)
    };
    assert_eq!(store.journal_position().await.expect("read"), None);
    let done = store.ingest(&[record(1), bare.clone(), record(1)], position(70)).await;
    assert_eq!(done.expect("written").inserted, 2);
    assert_eq!(store.journal_position().await.expect("read"), Some(position(70)));
    assert_eq!(store.call(record(1).call).await.expect("read"), Some(record(1)));
    assert_eq!(store.call(bare.call).await.expect("read"), Some(bare));
    assert_eq!(store.call(record(3).call).await.expect("read"), None);

    let done = store.ingest(&[], position(80)).await.expect("written");
    assert_eq!(
        (done.inserted, store.journal_position().await.expect("read")),
        (0, Some(position(80)))
    );
}

/// Records whose attempts, sessions and answers are of every kind.
fn unlike_each_other() -> Vec<CallRecord> {
    let attempt = record(1).attempts[0].clone();
    let later = Timestamp::from_millis(attempt.at.as_millis() + 7);
    let earlier = Timestamp::from_millis(attempt.at.as_millis() - 7);
    let lists = [
        vec![],
        vec![attempt.clone()],
        vec![Attempt { at: later, ..attempt.clone() }],
        vec![Attempt { at: earlier, millis: u64::MAX / 2, ..attempt.clone() }],
        vec![Attempt { account: AccountId(2), ..attempt.clone() }],
        vec![Attempt { status: Some(529), ..attempt.clone() }],
        vec![Attempt { status: None, ..attempt.clone() }],
        vec![Attempt { fault: Some("it \"broke\"".into()), ..attempt.clone() }],
        vec![Attempt { maybe_billed: true, ..attempt.clone() }],
        vec![attempt.clone(), Attempt { at: later, ..attempt }],
    ];
    let call = |number| CallRecord { at: record(1).at, ..record(number) };
    let of = |(number, attempts)| CallRecord { attempts, ..call(number) };
    let mut records: Vec<CallRecord> = (1_u8..).zip(lists).map(of).collect();
    // The same texts in other places are another kind.
    records.push(CallRecord { client: "a".into(), speed: "bc".into(), ..call(50) });
    records.push(CallRecord { client: "ab".into(), speed: "c".into(), ..call(51) });
    records.push(CallRecord { client: "bc".into(), speed: "a".into(), ..call(52) });
    records.push(CallRecord { streamed: false, session: None, ..call(53) });
    records
}

#[tokio::test]
async fn calls_that_differ_in_anything_read_back_as_they_were_also_from_a_second_store() {
    let scratch = Scratch::new().await;
    let second = scratch.second().await;
    let records = unlike_each_other();
    let (some, others) = records.split_at(6);
    // Each store meets kinds that the other has numbered.
    second.ingest(others, position(1)).await.expect("written");
    scratch.store.ingest(some, position(1)).await.expect("written");
    scratch.store.ingest(&records, position(1)).await.expect("written");
    for record in &records {
        for store in [&scratch.store, &second] {
            assert_eq!(store.call(record.call).await.expect("read").as_ref(), Some(record));
        }
    }
}

#[tokio::test]
async fn the_calls_can_be_read_in_words() {
    const WORDS: &str = "select json_array(call_id, at, key_id, account_id, path, model_asked, \
         model_served, client, session, streamed, status, outcome, exactness, price_version, \
         price_source, service_tier, speed), attempts from usage order by call_id";
    let scratch = Scratch::new().await;
    let records = unlike_each_other();
    scratch.store.ingest(&records, position(1)).await.expect("written");
    let mut connection = connection(&scratch).await;
    let rows = sqlx::query(WORDS).fetch_all(&mut connection).await.expect("rows");
    connection.close().await.expect("closed");
    for (row, record) in rows.iter().zip(&records) {
        let (words, attempts): (String, String) = (row.get(0), row.get(1));
        let CallRecord { call, at, key, account, path, client, session, speed, .. } = record;
        let told = serde_json::json!([
            call,
            at,
            key.0,
            account.0,
            path,
            record.model_asked,
            record.model_served,
            client,
            session,
            u8::from(record.streamed),
            record.status,
            record.outcome,
            record.exactness,
            record.priced_by.version,
            record.priced_by.source,
            record.service_tier,
            speed,
        ]);
        assert_eq!(words, told.to_string());
        assert_eq!(attempts, serde_json::to_string(&record.attempts).expect("JSON"));
    }
    assert_eq!(rows.len(), records.len());
}

#[tokio::test]
async fn a_correction_of_the_price_reaches_the_row_and_the_roll_up() {
    let scratch = Scratch::new().await;
    let guessed = |number| CallRecord {
        priced_by: PricedBy { version: "list 1".into(), source: PriceSource::FamilyMaximum },
        ..record(number)
    };
    let records = [guessed(1), record(2), guessed(3)];
    scratch.store.ingest(&records, position(1)).await.expect("written");
    let first = scratch.store.provisional_calls(None, 1).await.expect("read");
    assert_eq!(first, [guessed(1)]);
    let rest = scratch.store.provisional_calls(Some(first[0].call), 9).await.expect("read");
    assert_eq!(rest, [guessed(3)]);

    let known = PricedBy { version: "list 2".into(), source: PriceSource::Listed };
    let cost = Money::from_nanos(400);
    assert!(scratch.store.set_cost(guessed(1).call, cost, &known).await.expect("set"));
    assert!(!scratch.store.set_cost(record(9).call, cost, &known).await.expect("no such call"));
    let expected = CallRecord { cost, priced_by: known, ..guessed(1) };
    assert_eq!(scratch.store.call(guessed(1).call).await.expect("read"), Some(expected));
    assert_eq!(scratch.store.provisional_calls(None, 9).await.expect("read"), [guessed(3)]);
    let [usage, roll_ups, sums] = dump(&scratch).await;
    assert_eq!(usage.len(), 3);
    assert_eq!(roll_ups, sums);
}

/// A connection of somebody else's.
async fn connection(scratch: &Scratch) -> sqlx::SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(scratch.path());
    options.connect().await.expect("a connection")
}

/// The rows of usage, the roll-ups, and what the roll-ups should be: the sums of the rows.
async fn dump(scratch: &Scratch) -> [Vec<String>; 3] {
    const USAGE: &str = "select json_array(call_id, at, key_id, model_served, input, cost_nanos, \
         attempts) from usage order by call_id";
    const ROLL_UPS: &str = "select json_array(quarter, key_id, account_id, model, calls, \
         estimated_calls, failed_calls, input, output, cache_read, cache_write_5m, \
         cache_write_1h, web_searches, cost_nanos, first_byte_count, first_byte_millis_sum, \
         total_millis_sum) from rollups order by quarter, key_id, account_id, model";
    const SUMS: &str = "select json_array(at / 900000 * 900000, key_id, account_id, \
         case when model_served = '' then model_asked else model_served end, count(*), \
         sum(exactness <> 'exact'), sum(outcome in ('failed', 'cut', 'shutdown', 'crashed')), \
         sum(input), sum(output), sum(cache_read), sum(cache_write_5m), sum(cache_write_1h), \
         sum(web_searches), sum(cost_nanos), count(first_byte_millis), \
         coalesce(sum(first_byte_millis), 0), sum(total_millis)) from usage \
         group by at / 900000, key_id, account_id, \
         case when model_served = '' then model_asked else model_served end \
         order by at / 900000, key_id, account_id, \
         case when model_served = '' then model_asked else model_served end";
    let mut connection = connection(scratch).await;
    let mut tables = [Vec::new(), Vec::new(), Vec::new()];
    for (table, query) in tables.iter_mut().zip([USAGE, ROLL_UPS, SUMS]) {
        let rows = sqlx::query(query).fetch_all(&mut connection).await.expect("rows");
        table.extend(rows.iter().map(|row| row.get::<String, _>(0)));
    }
    connection.close().await.expect("closed");
    tables
}

/// A record of few keys, accounts, models and hours, so that many fall into one sum.
fn varied(number: u8, (key, account, model): (i64, i64, u8), details: (u8, u32)) -> CallRecord {
    let (kind, tokens) = details;
    let mut record = record(number);
    (record.key, record.account) = (KeyId(key), AccountId(account));
    record.model_served = ["", "big", "small"][usize::from(model)].into();
    record.outcome = [Outcome::Completed, Outcome::Cut, Outcome::Rejected][usize::from(kind % 3)];
    record.exactness = [Exactness::Exact, Exactness::Estimated][usize::from(kind % 2)];
    record.first_byte_millis = (!kind.is_multiple_of(3)).then(|| u64::from(tokens) % 1_000);
    record.usage.input = u64::from(tokens);
    record.cost = Money::from_nanos(i64::from(tokens) * 3);
    record
}

fn records() -> impl Strategy<Value = Vec<CallRecord>> {
    vec(((1_i64..4, 1_i64..3, 0_u8..3), (0_u8..6, any::<u32>())), 1..120).prop_map(|seeds| {
        (0..).zip(seeds).map(|(number, (place, details))| varied(number, place, details)).collect()
    })
}

/// The records, and batches of places among them: in any order, some twice, in the end each.
fn overlapping() -> impl Strategy<Value = (Vec<CallRecord>, Vec<Vec<usize>>)> {
    records().prop_flat_map(|records| {
        let count = records.len();
        let once = Just((0..count).collect::<Vec<usize>>()).prop_shuffle();
        let more = vec(vec(0..count, 0..40), 0..6);
        (Just(records), once, more, 1..count + 1).prop_map(|(records, once, more, size)| {
            let batches = more.into_iter().chain(once.chunks(size).map(<[usize]>::to_vec));
            (records, batches.collect())
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn batches_in_any_order_and_overlapping_come_to_the_same(
        (records, batches) in overlapping(),
    ) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let (once, often) = (Scratch::new().await, Scratch::new().await);
            let all = once.store.ingest(&records, position(1)).await.expect("written");
            prop_assert_eq!(all.inserted, records.len());
            let mut inserted = 0;
            for batch in batches {
                let batch: Vec<CallRecord> =
                    batch.into_iter().map(|place| records[place].clone()).collect();
                inserted += often.store.ingest(&batch, position(1)).await.expect("written").inserted;
            }
            prop_assert_eq!(inserted, records.len());
            let [usage, roll_ups, sums] = dump(&often).await;
            prop_assert_eq!(&roll_ups, &sums);
            prop_assert_eq!([usage, roll_ups, sums], dump(&once).await);
            Ok(())
        })?;
    }
}
