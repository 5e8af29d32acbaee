//! Metrics: what the page says, read by a reader of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use relay::metrics::Exposition;
use relay::telemetry::DroppedLines;
use relay_core::quota::StopAt;
use relay_testkit::{Answer, FakeProvider, messages_body};

use crate::kit::{START, TestRelay, account};

const DOCUMENT: &str = include_str!("../../../../docs/metrics.md");
const SONNET: &str = "claude-sonnet-4-6";

/// What a page says.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Metrics with their type, counters with the `_total` of their series.
    pub(crate) types: BTreeMap<String, String>,
    series: BTreeMap<String, f64>,
}

impl Page {
    /// Reads a page; fails for a line that is none, for series that come twice or without a type,
    /// and if the end is missing.
    pub(crate) fn read(text: &str) -> Self {
        let mut page = Self::default();
        let text = text.strip_suffix("# EOF\n").expect("the end of the page");
        for line in text.lines() {
            if let Some(told) = line.strip_prefix("# TYPE ") {
                let (name, kind) = told.split_once(' ').expect("a type");
                let end = if kind == "counter" { "_total" } else { "" };
                let before = page.types.insert(format!("{name}{end}"), kind.to_owned());
                assert_eq!(before, None, "{name} comes twice");
            } else if !line.starts_with("# HELP ") {
                let (series, value) = line.rsplit_once(' ').expect("a series and a value");
                let value = value.parse().expect("a number");
                let name = series.split('{').next().unwrap_or_default();
                let ends = ["_bucket", "_sum", "_count"];
                let base = ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
                let is_known = page.types.contains_key(name) || page.types.contains_key(base);
                assert!(is_known, "{line} has no type");
                let before = page.series.insert(series.to_owned(), value);
                assert_eq!(before, None, "{series} comes twice");
            }
        }
        page
    }

    /// The value of a series, as it is written.
    pub(crate) fn value(&self, series: &str) -> f64 {
        let value = self.series.get(series).copied();
        value.unwrap_or_else(|| panic!("there is no {series}: {self:#?}"))
    }

    /// The sum of all series of a name that have this label, `name="value"`; any for the empty one.
    pub(crate) fn sum(&self, name: &str, label: &str) -> f64 {
        let begins = format!("{name}{{");
        let is_meant = |series: &&String| series.starts_with(&begins) && series.contains(label);
        self.series.iter().filter(|(series, _)| is_meant(series)).map(|(_, value)| value).sum()
    }

    /// Every series that there is.
    pub(crate) fn series(&self) -> impl Iterator<Item = &str> {
        self.series.keys().map(String::as_str)
    }
}

fn scrape(relay: &TestRelay) -> Page {
    let exposition = Exposition::new(Arc::clone(&relay.app), DroppedLines::default());
    Page::read(&exposition.text().expect("a page"))
}

#[tokio::test]
async fn every_metric_is_in_the_document_with_its_type_and_the_other_way_round() {
    let provider = FakeProvider::start().await;
    let page = scrape(&TestRelay::with(&provider).await);
    let rows = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `"));
    let told: BTreeSet<(String, String)> = rows
        .filter(|row| row.starts_with("crs_") || row.starts_with("process_"))
        .filter_map(|row| {
            let mut cells = row.split(" | ");
            Some((cells.next()?.trim_end_matches('`').to_owned(), cells.next()?.to_owned()))
        })
        .collect();
    let said: BTreeSet<(String, String)> = page.types.into_iter().collect();
    assert!(said.len() > 40, "{said:?}");
    assert_eq!(told, said);
}

#[tokio::test]
async fn accounts_are_told_by_their_state_and_windows_by_their_use() {
    let provider = FakeProvider::start().await;
    let reset = START.as_millis() / 1_000 + 600;
    let mut marked = account("a", &provider);
    marked.stop_at = StopAt { five_hour: Some(90), seven_day: None };
    let mut off = account("c", &provider);
    off.enabled = false;
    let relay = TestRelay::start([marked, account("b", &provider), off], &[]).await;
    provider.answers_once(Answer::well().unified(95, 40, reset));
    relay.client.post("/api/v1/messages", &[], messages_body(SONNET, "hello")).await;
    relay.app.shutdown.until_no_call_is_open().await;

    let page = scrape(&relay);
    for (state, count) in [("able", 1.0), ("resting", 1.0), ("closed", 0.0), ("off", 1.0)] {
        let series = format!(r#"crs_accounts{{service="claude",state="{state}"}}"#);
        assert!((page.value(&series) - count).abs() < 1e-9, "{series}: {page:#?}");
    }
    let is = |series: &str, value: f64| {
        assert!((page.value(series) - value).abs() < 1e-9, "{series} is {}", page.value(series));
    };
    is(r#"crs_account_up{account="a",service="claude"}"#, 0.0);
    is(r#"crs_account_up{account="b",service="claude"}"#, 1.0);
    is(r#"crs_account_enabled{account="c"}"#, 0.0);
    is(r#"crs_quota_used_ratio{account="a",window="5h"}"#, 0.95);
    is(r#"crs_quota_used_ratio{account="a",window="7d"}"#, 0.4);
    let reset = f64::from(u32::try_from(reset).expect("a time"));
    is(r#"crs_quota_resets_timestamp_seconds{account="a",window="5h"}"#, reset);
    is(r#"crs_account_rest_ends_timestamp_seconds{account="a"}"#, reset);
    is(r#"crs_rests_total{account="a",cause="window_mark"}"#, 1.0);
}

#[tokio::test]
async fn the_lag_of_the_journal_is_there_until_the_database_has_all() {
    let provider = FakeProvider::start().await;
    let mut relay = TestRelay::with(&provider).await;
    relay.client.post("/api/v1/messages", &[], messages_body(SONNET, "hello")).await;
    relay.app.shutdown.until_no_call_is_open().await;
    assert!(scrape(&relay).value("crs_journal_lag_bytes") > 100.0);
    let mut books = relay.books.take().expect("the writer of records");
    books.write_all().await;
    let page = scrape(&relay);
    assert!(page.value("crs_journal_lag_bytes") < 0.5, "{page:#?}");
    assert!(page.value("crs_journal_lag_seconds") < 1e-9);
}

#[tokio::test]
async fn what_records_say_is_what_is_counted() {
    let provider = FakeProvider::start().await;
    let relay = TestRelay::with(&provider).await;
    let models = [SONNET, "claude-opus-4-8", "claude-opus-4-8", "made-up-model"];
    for model in models {
        relay.client.post("/api/v1/messages", &[], messages_body(model, "[[say hello]]")).await;
    }
    let count = "/api/v1/messages/count_tokens";
    relay.client.post(count, &[], messages_body(SONNET, "hello")).await;
    relay.app.shutdown.until_no_call_is_open().await;

    let (page, records) = (scrape(&relay), relay.records());
    assert_eq!(records.len(), models.len());
    let nanos: i64 = records.iter().map(|record| record.cost.as_nanos()).sum();
    let dollars = f64::from(i32::try_from(nanos).expect("little money")) / 1e9;
    assert!(dollars > 0.0);
    assert!((page.sum("crs_cost_dollars_total", "") - dollars).abs() < 1e-12, "{page:#?}");
    let output: u64 = records.iter().map(|record| record.usage.output).sum();
    let output = f64::from(u32::try_from(output).expect("few tokens"));
    assert!((page.sum("crs_tokens_total", r#"kind="output""#) - output).abs() < 1e-9);
    for (label, calls) in [(r#"service="claude""#, 4.0), (r#"status="2xx""#, 4.0)] {
        assert!((page.sum("crs_calls_total", label) - calls).abs() < 1e-9, "{page:#?}");
    }
    let counts = page.value(r#"crs_token_counts_total{service="claude",status="2xx"}"#);
    assert!((counts - 1.0).abs() < 1e-9, "a count of tokens is no call that is billed");
    let attempts = page.value(r#"crs_attempts_total{account="a",outcome="ok"}"#);
    assert!((attempts - 5.0).abs() < 1e-9);
    assert!(page.series().any(|series| series.contains(r#"family="opus""#)));
    assert!(!page.series().any(|series| series.contains("made-up")));
}
