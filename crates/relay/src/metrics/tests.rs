use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;
use relay_core::health::RestCause;
use relay_core::money::Money;
use relay_core::price::PricedBy;
use relay_core::protocol::Service;
use relay_core::quota::WindowKind;
use relay_core::usage::{Exactness, Outcome, TokenUsage};
use relay_upstream::fault::{self, Blame, ClientStanding, Refused};

use super::accounts::{Accounts, Names};
use super::exposition::{Failed, Page};
use super::usage::Usage;
use super::words::{CAUSES, CLIENTS, FAMILIES, FAULTS, OTHER, OUTCOMES, SERVICES, SIGN_OUTS};
use super::*;

/// Something that writes itself on a page.
struct Writes<W>(W);

impl<W> fmt::Debug for Writes<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writes")
    }
}

impl<W: Fn(&mut Page<'_>) -> Failed + Send + Sync + 'static> Collector for Writes<W> {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        (self.0)(&mut Page(encoder))
    }
}

/// The lines of a page that are values.
fn lines(write: impl Fn(&mut Page<'_>) -> Failed + Send + Sync + 'static) -> Vec<String> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Writes(write)));
    let mut page = String::new();
    text::encode(&mut page, &registry).expect("a page");
    page.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

fn lines_of(accounts: &Arc<Accounts>, names: &[(i64, String)]) -> Vec<String> {
    let (accounts, names) = (Arc::clone(accounts), names.to_vec());
    lines(move |page| {
        let names: Names<'_> =
            names.iter().map(|(id, name)| (AccountId(*id), name.as_str())).collect();
        accounts.write(page, &accounts.seen(&names))
    })
}

/// The sum of a metric over all of its labels.
fn sum(lines: &[String], metric: &str) -> u64 {
    let of_metric = lines.iter().filter(|line| line.starts_with(&format!("{metric}{{")));
    of_metric.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

fn attempt(account: i64, fault: Option<&str>) -> Attempt {
    Attempt {
        account: AccountId(account),
        at: Timestamp::from_seconds(0),
        millis: 1,
        status: Some(200),
        fault: fault.map(str::to_owned),
        maybe_billed: false,
    }
}

fn record(client: &str) -> CallRecord {
    let at = Timestamp::from_seconds(0);
    CallRecord {
        window: None,
        call: relay_core::id::CallId::new(at, [0; 10]),
        key: relay_core::id::KeyId(1),
        account: AccountId(1),
        at,
        path: "/v1/messages".into(),
        model_asked: "m".into(),
        model_served: String::new(),
        client: client.into(),
        session: None,
        streamed: true,
        status: 200,
        outcome: Outcome::Completed,
        usage: TokenUsage { input: 3, output: 5, ..TokenUsage::default() },
        exactness: Exactness::Exact,
        cost: Money::from_nanos(1_500_000_000),
        priced_by: PricedBy::default(),
        service_tier: String::new(),
        speed: String::new(),
        first_byte_millis: Some(40),
        total_millis: 700,
        attempts: vec![attempt(1, None)],
    }
}

#[test]
fn names_that_clients_make_up_make_no_series() {
    let usage = Usage::default();
    for number in 0..300 {
        let family = ModelFamily::of(&format!("made-up-{number}"));
        usage.settled(Service::Claude, &family, &record(&format!("client {number}")));
    }
    usage.settled(Service::Claude, &ModelFamily::of("claude-opus-4-8"), &record("codex"));
    let lines = lines(move |page| usage.write(page));
    let costs: Vec<_> = lines.iter().filter(|line| line.starts_with("cost_dollars")).collect();
    assert_eq!(
        costs,
        [
            r#"cost_dollars_total{service="claude",family="opus"} 1.5"#,
            r#"cost_dollars_total{service="claude",family="other"} 450.0"#,
        ]
    );
    let calls: Vec<_> = lines.iter().filter(|line| line.starts_with("calls_total")).collect();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert_eq!(sum(&lines, "tokens_total"), 301 * 8);
}

#[test]
fn more_accounts_than_have_room_are_counted_together() {
    let accounts = Arc::new(Accounts::default());
    let names: Vec<_> = (0..300).map(|id| (id, format!("account {id}"))).collect();
    for (id, _) in &names {
        accounts.attempts(&[attempt(*id, None), attempt(*id, Some("overloaded"))]);
    }
    let lines = lines_of(&accounts, &names);
    let attempts = lines.iter().filter(|line| line.starts_with("attempts_total{"));
    let labels: BTreeSet<_> = attempts.filter_map(|line| line.split('"').nth(1)).collect();
    assert_eq!(labels.len(), ACCOUNTS_MAX + 1);
    assert_eq!(sum(&lines, "attempts_total"), 600);
    let of_others = r#"faults_total{account="",fault="overloaded"} 100"#.to_owned();
    assert!(lines.contains(&of_others), "{lines:#?}");
}

#[test]
fn what_was_counted_of_accounts_goes_with_them_and_others_take_their_room() {
    let accounts = Arc::new(Accounts::default());
    let some = |ids: std::ops::Range<i64>| -> Vec<(i64, String)> {
        ids.map(|id| (id, format!("account {id}"))).collect()
    };
    let count = |names: &[(i64, String)]| {
        for (id, _) in names {
            accounts.attempts(&[attempt(*id, None)]);
        }
    };
    let first = some(0..200);
    count(&first);
    assert_eq!(sum(&lines_of(&accounts, &first), "attempts_total"), 200);
    let second = some(150..350);
    count(&second);
    let lines = lines_of(&accounts, &second);
    let unnamed = r#"attempts_total{account="",outcome="ok"} 150"#;
    assert!(lines.contains(&unnamed.to_owned()), "those without room, and no more: {lines:#?}");
    assert_eq!(sum(&lines, "attempts_total"), 50 * 2 + 150);
    count(&second);
    let lines = lines_of(&accounts, &second);
    assert_eq!(sum(&lines, "attempts_total"), 50 * 3 + 150 * 2);
    let last = r#"attempts_total{account="account 349",outcome="ok"} 1"#;
    assert!(lines.contains(&last.to_owned()), "the new one has series of its own: {lines:#?}");
}

#[test]
fn whatever_an_account_is_called_it_has_series_of_its_own() {
    let accounts = Arc::new(Accounts::default());
    let names = [(1, OTHER.to_owned()), (2, "main".to_owned())];
    accounts.attempts(&[attempt(1, None), attempt(2, None)]);
    for _ in 0..2 {
        let lines = lines_of(&accounts, &names);
        let series: Vec<_> = lines
            .iter()
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(series, _)| series)
            .collect();
        let once: BTreeSet<_> = series.iter().collect();
        assert_eq!(series.len(), once.len(), "{series:#?}");
        assert!(lines.contains(&r#"attempts_total{account="other",outcome="ok"} 1"#.to_owned()));
    }
}

#[test]
fn events_are_counted_under_their_account_and_cause() {
    let metrics = Metrics::new(Timestamp::from_seconds(0));
    let (account, until) = (AccountId(1), Timestamp::from_seconds(9));
    let cause = RestCause::RateLimited;
    metrics.event(&Event::AccountRested { account, until, cause });
    metrics.event(&Event::AccountRecovered { account });
    metrics.signed_out(account, SignOutCause::Expired);
    metrics.refreshed(account, Refresh::Done);
    metrics.refreshed(account, Refresh::Delayed);
    let names = [(1, "main".to_owned())];
    let lines = lines_of(&Arc::new(metrics.accounts), &names);
    for expected in [
        r#"rests_total{account="main",cause="rate_limited"} 1"#,
        r#"recoveries_total{account="main"} 1"#,
        r#"sign_outs_total{account="main",cause="expired"} 1"#,
        r#"token_refreshes_total{account="main",outcome="ok"} 1"#,
        r#"token_refreshes_total{account="main",outcome="delayed"} 1"#,
    ] {
        assert!(lines.contains(&expected.to_owned()), "{expected} is missing in {lines:#?}");
    }
}

#[test]
fn what_is_counted_of_an_account_is_told_from_0_on() {
    let accounts = Arc::new(Accounts::default());
    let names: Vec<_> = (0..300).map(|id| (id, format!("account {id}"))).collect();
    let lines = lines_of(&accounts, &names);
    for metric in ["attempts", "rests", "recoveries", "sign_outs", "token_refreshes"] {
        let of_metric = lines.iter().filter(|line| line.starts_with(&format!("{metric}_total{{")));
        let labels: BTreeSet<_> = of_metric.filter_map(|line| line.split('"').nth(1)).collect();
        assert_eq!(labels.len(), ACCOUNTS_MAX + 1, "{metric}");
        assert_eq!(sum(&lines, &format!("{metric}_total")), 0, "{metric}");
    }
    for expected in [
        r#"rests_total{account="account 7",cause="rate_limited"} 0"#,
        r#"token_refreshes_total{account="account 7",outcome="ok"} 0"#,
        r#"token_refreshes_total{account="account 7",outcome="delayed"} 0"#,
    ] {
        assert!(lines.contains(&expected.to_owned()), "{expected} is missing");
    }
    let has_faults = lines.iter().any(|line| line.starts_with("faults_total"));
    assert!(!has_faults, "there are many words for faults");
}

#[test]
fn each_word_is_at_its_place() {
    let families = FAMILIES.map(|(start, _)| start);
    for (at, start) in families.iter().enumerate().filter(|(_, start)| start.len() > 4) {
        assert_eq!(words::family(&ModelFamily::of(start)), at, "{start}");
    }
    assert!(SERVICES.iter().enumerate().all(|(at, it)| words::service(*it) == at));
    assert!(OUTCOMES.iter().enumerate().all(|(at, it)| words::outcome(*it) == Some(at)));
    assert!(CAUSES.iter().enumerate().all(|(at, it)| words::cause(*it) == at));
    assert!(SIGN_OUTS.iter().enumerate().all(|(at, it)| words::sign_out(*it) == at));
    assert!(CLIENTS.iter().enumerate().all(|(at, it)| words::client(it) == at));
    assert!(FAULTS.iter().enumerate().all(|(at, it)| words::fault(it) == at));
    for (at, (_, word)) in FAMILIES.iter().enumerate() {
        assert_eq!(state::window_label(&format!("7d {word}")), format!("7d {word}"), "{at}");
    }
}

#[test]
fn windows_of_any_length_and_family_make_few_labels() {
    let models = (0..99).map(|number| ModelFamily::of(&format!("gemini-{number}.5-pro")));
    let of_models = models.zip(1..).map(|(it, minutes)| WindowKind::of_models(it, minutes));
    let kinds = (1..99_999).filter_map(WindowKind::lasting).chain(of_models);
    let labels: BTreeSet<_> = kinds.map(|it| state::window_label(&it.to_string())).collect();
    assert!(labels.contains("5h") && labels.contains("30d") && labels.contains("other"));
    assert!(labels.len() < 20, "{labels:?}");
    let day = WindowKind::of_models(ModelFamily::of("gemini-3-pro"), 1_440).to_string();
    assert_eq!(state::window_label(&day), "1d gemini-3");
}

#[test]
fn every_fault_that_a_provider_can_be_blamed_for_has_a_word() {
    for word in fault::words() {
        assert_ne!(FAULTS[words::fault(word)], OTHER, "{word}");
    }
    let headers = HeaderMap::new();
    let providers = [Service::Claude, Service::Openai, Service::Gemini];
    for (provider, status) in providers.iter().flat_map(|it| (300..600).map(move |at| (*it, at))) {
        let client = ClientStanding::Accepted;
        let refused =
            Refused { provider, status, message: "", body: b"", headers: &headers, client };
        if let Blame::Account(fault) = fault::judge(&refused, Timestamp::from_seconds(0)) {
            assert_ne!(FAULTS[words::fault(fault.word)], OTHER, "{}", fault.word);
        }
    }
}
