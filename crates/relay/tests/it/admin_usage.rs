//! The log of calls, charts, bills and the dashboard: they tell what the calls came to.

use std::time::Duration;

use http::Method;
use relay_core::clock::Timestamp;
use relay_core::id::{AccountId, CallId, KeyId};
use relay_core::money::Money;
use relay_core::usage::{CallRecord, Outcome};
use relay_store::journal::Position;
use relay_testkit::{Answer, FakeProvider, messages_body};
use serde_json::{Value, json};

use crate::admin_accounts::{Door, named};
use crate::kit::{START, account};

const SONNET: &str = "claude-sonnet-4-6";

/// A record to be made others from: that of a call that was answered.
async fn door() -> (FakeProvider, Door, CallRecord) {
    let provider = FakeProvider::start().await;
    let accounts = [account("main", &provider), account("second", &provider)];
    let mut door = Door::start(accounts, &[("TIMEZONE", "Asia/Kolkata")]).await;
    let hello = messages_body(SONNET, "hello");
    assert_eq!(door.relay.client.post("/api/v1/messages", &[], hello).await.status, 200);
    written(&mut door).await;
    let record = door.relay.only_record().await;
    (provider, door, record)
}

/// Brings all records to the database.
async fn written(door: &mut Door) {
    door.relay.app.shutdown.until_no_call_is_open().await;
    let mut books = door.relay.books.take().expect("the books");
    books.write_all().await;
    door.relay.books = Some(books);
}

/// Puts records into the database as the writer of books does.
async fn ingest(door: &Door, records: &[CallRecord]) {
    let store = &door.relay.app.store;
    let upto = store.journal_position().await.expect("a query").unwrap_or(Position::START);
    let done = store.ingest(records, upto).await.expect("taken in");
    assert_eq!(done.inserted, records.len());
}

/// A call so long before the start, with a number of its own.
fn past(record: &CallRecord, before: Duration, number: u8) -> CallRecord {
    let at = START.minus(before);
    CallRecord { call: CallId::new(at, [number; 10]), at, ..record.clone() }
}

fn hours(count: u64) -> Duration {
    Duration::from_hours(count)
}

#[tokio::test]
async fn calls_are_paged_without_gaps_or_repeats_while_new_ones_come() {
    let (_provider, mut door, record) = door().await;
    let records: Vec<CallRecord> =
        (1..=60_u8).map(|n| past(&record, Duration::from_mins(u64::from(n)), n)).collect();
    ingest(&door, &records).await;
    let first = door.get("calls?limit=25").await;
    assert_eq!((&first["total"], &first["total_exact"]), (&json!(61), &json!(true)));
    assert_eq!(first["items"][0]["key"]["name"], "tests");
    assert_eq!(first["items"][0]["account"]["name"], "main");
    assert_eq!(first["slow"], false);
    let mut seen: Vec<String> = Vec::new();
    let mut page = first;
    loop {
        let items = page["items"].as_array().expect("a list");
        seen.extend(items.iter().map(|it| it["id"].as_str().expect("an id").to_owned()));
        let Some(next) = page["next"].as_str().map(str::to_owned) else { break };
        // A new call must not move what comes next.
        let hello = messages_body(SONNET, "hello");
        door.relay.client.post("/api/v1/messages", &[], hello).await;
        written(&mut door).await;
        page = door.get(&format!("calls?limit=25&before={next}")).await;
        assert!(page["total"].is_null());
    }
    let mut unique = seen.clone();
    unique.sort();
    unique.dedup();
    assert_eq!((seen.len(), unique.len()), (61, 61));
    let mut sorted = seen.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    assert_eq!(seen, sorted, "newest first");
}

#[tokio::test]
async fn calls_are_found_by_key_account_owner_model_client_end_and_time() {
    let (_provider, door, record) = door().await;
    let issued = door.post("keys", json!({"name": "lena", "owner": "Lena"})).await;
    let lena: KeyId = issued["keys"][0]["id"].as_str().expect("an id").parse().expect("an id");
    let second = door.relay.account_id("second").await;
    let of = |number: u8, change: fn(CallRecord) -> CallRecord| {
        change(past(&record, Duration::from_mins(u64::from(number) * 20), number))
    };
    let mut records = vec![
        of(1, |it| CallRecord { model_served: "claude-opus-4-8".to_owned(), ..it }),
        of(2, |it| CallRecord { client: "codex".to_owned(), ..it }),
        of(3, |it| CallRecord { outcome: Outcome::ClientLeft, ..it }),
        of(4, |it| CallRecord { outcome: Outcome::Failed, status: 502, ..it }),
        of(90, |it| it),
    ];
    records.push(CallRecord { key: lena, ..of(5, |it| it) });
    records.push(CallRecord { account: second, ..of(6, |it| it) });
    ingest(&door, &records).await;
    let count = async |query: &str| {
        let page = door.get(&format!("calls?{query}")).await;
        let items = page["items"].as_array().expect("a list").len();
        assert_eq!(page["total"], json!(items), "{query}");
        items
    };
    assert_eq!(count("").await, 7, "one of them is older than a day");
    assert_eq!(count("range=7d").await, 8);
    assert_eq!(count("key=lena").await, 1);
    assert_eq!(count("owner=Lena").await, 1);
    assert_eq!(count("owner=Nobody").await, 0);
    assert_eq!(count("account=second").await, 1);
    assert_eq!(count("account=second&key=lena").await, 0);
    assert_eq!(count("model=claude-opus-4-8").await, 1);
    assert_eq!(count("client=codex").await, 1);
    assert_eq!(count("status=left").await, 1);
    assert_eq!(count("status=failed").await, 1);
    assert_eq!(count("status=ok").await, 5);
    assert_eq!(count("status=ok&key=lena").await, 1);
    assert_eq!(door.get("calls?client=codex").await["slow"], true);
    assert_eq!(door.get("calls?client=codex&key=lena").await["slow"], false);
    for (query, status, field) in [
        ("key=nobody", 404, "key"),
        ("account=nobody", 404, "account"),
        ("status=odd", 400, "status"),
        ("before=odd", 400, "before"),
        ("range=odd", 400, "range"),
        ("from=odd", 400, "from"),
        ("from=2027-01-02T00:00:00Z&to=2027-01-01T00:00:00Z", 400, "from"),
    ] {
        let refused = door.refused(Method::GET, &format!("calls?{query}"), Value::Null).await;
        assert_eq!((refused.0, refused.2.as_str()), (status, field), "{query}");
    }
    let csv = door.get("calls.csv?range=7d").await;
    let lines: Vec<&str> = csv.as_str().expect("text").lines().collect();
    assert_eq!(lines.len(), 9, "{csv}");
    assert!(lines[0].starts_with("id,at,key,owner,account,"), "{csv}");
    let newest = door.get("calls?limit=1").await["items"][0]["id"].clone();
    assert!(lines[1].starts_with(newest.as_str().expect("an id")), "{csv}");
}

#[tokio::test]
async fn a_call_tells_of_each_attempt() {
    let (provider, mut door, _) = door().await;
    provider.answers_key("upstream-main", Answer::status(529));
    let hello = messages_body(SONNET, "hello");
    assert_eq!(door.relay.client.post("/api/v1/messages", &[], hello).await.status, 200);
    written(&mut door).await;
    let listed = door.get("calls?status=retried").await;
    assert_eq!(listed["total"], 1);
    let id = listed["items"][0]["id"].as_str().expect("an id").to_owned();
    let shown = door.get(&format!("calls/{id}")).await;
    let attempts = shown["attempts_list"].as_array().expect("a list");
    assert!(attempts.len() >= 2 && shown["attempts"] == json!(attempts.len()), "{shown}");
    assert_eq!(
        (&attempts[0]["account"]["name"], &attempts[0]["status"]),
        (&json!("main"), &json!(529))
    );
    assert!(!attempts[0]["words"].as_str().expect("words").is_empty());
    assert_eq!(attempts.last().expect("one")["fault"], Value::Null);
    let board = door.get("dashboard").await;
    let fault = &board["recent_faults"][0];
    assert_eq!((&fault["account"]["name"], &fault["answered"]), (&json!("main"), &json!(true)));
    let missing = door.refused(Method::GET, "calls/nothing", Value::Null).await;
    assert_eq!((missing.0, missing.1.as_str()), (404, "not_found"));
}

#[tokio::test]
async fn charts_tables_bills_and_the_dashboard_agree_with_the_records() {
    let (_provider, door, record) = door().await;
    let issued = door.post("keys", json!({"name": "lena", "owner": "Lena"})).await;
    let lena: KeyId = issued["keys"][0]["id"].as_str().expect("an id").parse().expect("an id");
    let dollars = |count: i64| Money::from_nanos(count * 1_000_000_000);
    let mut records = Vec::new();
    // One call each day for sixty days, of one key or the other; the older, the dearer.
    for day in 0..60_u8 {
        let key = if day % 3 == 0 { lena } else { record.key };
        let model = if day % 2 == 0 { SONNET } else { "claude-opus-4-8" };
        records.push(CallRecord {
            key,
            cost: dollars(i64::from(day) + 1),
            model_served: model.to_owned(),
            ..past(&record, hours(24 * u64::from(day)) + Duration::from_mins(1), day + 1)
        });
    }
    ingest(&door, &records).await;
    let own = record.cost.to_usd_f64();
    let sum = |of: &dyn Fn(usize) -> bool| -> f64 {
        (0..60_u32).filter(|day| of(*day as usize)).map(|day| f64::from(day) + 1.0).sum()
    };
    let close = |value: &Value, wanted: f64| {
        let value = value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
        assert!((value - wanted).abs() < 1e-6, "{value} is not {wanted}");
    };
    let line = |series: &Value, name: &str| -> Value {
        let lines = series["series"].as_array().expect("lines");
        lines.iter().find(|it| it["name"] == name || it["id"] == name).cloned().expect("a line")
    };

    let all = door.get("usage/series?range=28d&compare=true").await;
    assert_eq!((&all["bucket"], &all["zone"]), (&json!("day"), &json!("Asia/Kolkata")));
    let buckets = all["buckets"].as_array().expect("buckets");
    assert_eq!((buckets.len(), &buckets[27]["partial"]), (28, &json!(true)));
    assert!(buckets[0]["from"].as_str().expect("a moment").ends_with("T18:30:00Z"));
    close(&all["series"][0]["total"], sum(&|day| day < 28) + own);
    close(&all["series"][0]["values"][27], 1.0 + own);
    close(&all["before"]["total"], sum(&|day| (28..56).contains(&day)));
    let keys = door.get("usage/series?range=28d&by=key").await;
    close(&line(&keys, "lena")["total"], sum(&|day| day < 28 && day % 3 == 0));
    let models = door.get("usage/series?range=28d&by=model").await;
    close(&line(&models, "claude-opus-4-8")["total"], sum(&|day| day < 28 && day % 2 == 1));
    let accounts = door.get("usage/series?range=28d&by=account&measure=calls").await;
    close(&line(&accounts, "main")["total"], 29.0);
    let hers = door.get("usage/series?range=90d&key=lena&by=model").await;
    close(&line(&hers, SONNET)["total"], sum(&|day| day % 3 == 0 && day % 2 == 0));
    let kinds = door.get("usage/series?range=7d&by=token_kind").await;
    let output = record.usage.output;
    close(&line(&kinds, "output")["total"], f64::from(u32::try_from(output).expect("few") * 8));
    let success = door.get("usage/series?range=24h&measure=success").await;
    assert_eq!(success["bucket"], "hour");
    assert_eq!(success["buckets"].as_array().expect("buckets").len(), 24);
    close(&success["series"][0]["total"], 100.0);
    assert_eq!(success["series"][0]["values"][0], Value::Null, "no call, no share");

    let table = door.get("usage/table?by=key&range=90d").await;
    let rows = table.as_array().expect("rows");
    assert_eq!(rows.len(), 2);
    close(&rows[0]["cost_usd"], sum(&|day| day % 3 == 0));

    let board = door.get("dashboard?range=28d").await;
    close(&board["totals"]["cost_usd"], sum(&|day| day < 28) + own);
    close(&board["totals"]["calls"], 29.0);
    // The day that is compared with the present one has come as far: its call came a minute ago.
    close(&board["before"]["cost_usd"], sum(&|day| (28..56).contains(&day)));
    assert_eq!((&board["accounts"]["able"], &board["has_calls"]), (&json!(2), &json!(true)));
    let top = board["top_keys"].as_array().expect("keys");
    assert_eq!(named(&board["top_keys"]), ["tests", "lena"]);
    let shares: f64 = top.iter().map(|it| it["share_percent"].as_f64().expect("a share")).sum();
    assert!((shares - 100.0).abs() < 1e-6, "{shares}");

    let bills = door.get("usage/bills").await;
    let months = bills["months"].as_array().expect("months").clone();
    let mut billed = 0.0;
    for month in &months {
        let month = month.as_str().expect("a month");
        let bill = door.get(&format!("usage/bills?month={month}")).await;
        let rows = bill["rows"].as_array().expect("rows");
        let sum = |field: &str| -> f64 {
            rows.iter().map(|it| it[field].as_f64().expect("a number")).sum()
        };
        close(&bill["total_usd"], sum("cost_usd"));
        assert!((sum("share_percent") - 100.0).abs() < 1e-6, "{bill}");
        billed += sum("cost_usd");
    }
    assert!((billed - sum(&|_| true) - own).abs() < 1e-6, "{billed}");
    let owners = door
        .get(&format!("usage/bills?by=owner&month={}", bills["month"].as_str().expect("one")))
        .await;
    assert!(named(&owners["rows"]).contains(&"Lena"), "{owners}");
    let csv = door.get("usage/bills.csv").await;
    assert!(csv.as_str().expect("text").starts_with("month,id,name,owner,calls,tokens,cost_usd"));
    for (path, field) in [
        ("usage/series?by=odd", "by"),
        ("usage/series?measure=odd", "measure"),
        ("usage/series?range=0d", "range"),
        ("usage/table?by=odd", "by"),
        ("usage/bills?month=2026-13", "month"),
        ("usage/bills?month=2026-1", "month"),
    ] {
        let refused = door.refused(Method::GET, path, Value::Null).await;
        assert_eq!((refused.0, refused.2.as_str()), (400, field), "{path}");
    }
}

#[tokio::test]
async fn days_are_made_anew_for_another_zone_and_follow_corrections() {
    let (_provider, door, record) = door().await;
    let mut records = Vec::new();
    for number in 1..=40_u8 {
        records.push(past(&record, hours(u64::from(number) * 7), number));
    }
    ingest(&door, &records).await;
    let store = &door.relay.app.store;
    let corrected = Money::from_nanos(9_000_000_000);
    assert!(store.set_cost(records[20].call, corrected, &record.priced_by).await.expect("set"));
    let by_days = async || {
        let series = door.get("usage/series?range=28d&by=account&measure=cost").await;
        series["series"][0]["total"].as_f64().expect("a sum")
    };
    let wanted = record.cost.to_usd_f64() * 40.0 + 9.0;
    let before = by_days().await;
    assert!((before - wanted).abs() < 1e-6, "{before} is not {wanted}");
    let zone = jiff::tz::TimeZone::get("America/St_Johns").expect("a zone");
    store.keep_days(&zone).await.expect("kept");
    let first = store.first_day().await.expect("a query").expect("a day");
    let oldest = START.minus(hours(280));
    let at = |at: Timestamp| jiff::Timestamp::from_millisecond(at.as_millis()).expect("a moment");
    let day = at(oldest).to_zoned(zone).start_of_day().expect("a day").timestamp();
    assert_eq!(first.as_millis(), day.as_millisecond());
    let keys = store
        .key_use(
            relay_core::period::Span { from: first, to: START.plus(hours(48)) },
            relay_store::sums::Grain::Day,
        )
        .await
        .expect("sums");
    let cost = keys.get(&record.key).expect("the key").cost.to_usd_f64();
    assert!((cost - wanted).abs() < 1e-6, "{cost} is not {wanted}");
    assert_eq!(record.account, AccountId(1));
}
