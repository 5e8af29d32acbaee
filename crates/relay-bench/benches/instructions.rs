//! Instructions of the functions that every call goes through, counted by valgrind.
//!
//! `make bench` runs it; by hand, with the runner of `scripts/setup.sh bench` on the PATH:
//! `cargo bench -p relay-bench --bench instructions`.

#![expect(missing_docs, clippy::disallowed_methods, reason = "what the macros of gungraun make")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gungraun::prelude::*;
use jiff::tz::TimeZone;
use relay::day::Calendar;
use relay::keyring::{Holder, Keyring};
use relay_core::account::{
    Account, AccountKind, ClientRule, Deadlines, KeyHeader, OauthSettings, Sharing, Speaks,
};
use relay_core::clock::Timestamp;
use relay_core::health::Standing;
use relay_core::id::{AccountId, CallId, KeyId};
use relay_core::key::{Key, KeyLimits, KeyRules, Pool, WindowLimit};
use relay_core::limit;
use relay_core::model::ModelFamily;
use relay_core::money::Money;
use relay_core::price::{Bill, PriceList, PricedBy};
use relay_core::protocol::Service;
use relay_core::quota::StopAt;
use relay_core::schedule::{self, AccountView, Choice, Demand, Hold, NoCapacity, Plan};
use relay_core::tally::{Amount, Ask, Tally};
use relay_core::usage::{Attempt, CallRecord, Exactness, Outcome, TokenUsage};
use relay_store::journal::{Entry, Journal, JournalOptions, Position};
use relay_store::keys::StoredKey;
use relay_store::vault::{KeyHasher, Pepper};
use relay_wire::anthropic::meter::{Meter, Metered, unary};
use relay_wire::peek::{MessagesPeek, messages};
use relay_wire::sse::SseFramer;
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const MODEL: &str = "claude-sonnet-4-6";
/// Keys that the one of a call is found among.
const KEYS: i64 = 10_000;
/// The most that an event may take, as in the relay.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// A request of so many KB, as real clients write it: a few messages, most of it in one.
fn request(kilobytes: usize) -> Vec<u8> {
    let start = format!(
        r#"{{"model":"{MODEL}","max_tokens":1000,"stream":true,"system":"You are brief.","messages":[{{"role":"user","content":""#
    );
    let end = r#""},{"role":"assistant","content":"Yes?"},{"role":"user","content":"Go on."}]}"#;
    let room = kilobytes * 1_024 - start.len() - end.len();
    let text: String =
        "The quick brown fox jumps over the lazy dog. ".chars().cycle().take(room).collect();
    format!("{start}{text}{end}").into_bytes()
}

#[library_benchmark]
#[bench::of_1_kb(request(1))]
#[bench::of_50_kb(request(50))]
#[bench::of_500_kb(request(500))]
fn peek(body: Vec<u8>) -> (Vec<u8>, Option<MessagesPeek>) {
    let peeked = messages(black_box(&body)).ok();
    (body, black_box(peeked))
}

fn key(id: i64) -> Key {
    Key {
        id: KeyId(id),
        name: format!("key-{id}"),
        note: String::new(),
        owner: String::new(),
        enabled: true,
        expires_at: Some(NOW.plus(Duration::from_mins(1))),
        lasts: Some(Duration::from_hours(24)),
        first_used_at: Some(NOW),
        limits: every_limit(),
        rules: KeyRules::default(),
        bindings: Vec::new(),
        tags: Vec::new(),
        created_at: NOW,
    }
}

/// A ring of many keys, and the text of the last.
fn ring() -> (Keyring, String) {
    let pepper = Pepper::generate(1);
    let hasher = KeyHasher::new(&pepper);
    let ring = Keyring::new(vec![KeyHasher::new(&pepper)]);
    let text = |id: i64| format!("bench_{id:043}");
    for id in 1..=KEYS {
        ring.put(StoredKey {
            key: key(id),
            hash: hasher.hash(&text(id)),
            pepper_id: pepper.id,
            secret_tail: String::new(),
            old_secrets: Vec::new(),
            removed_at: None,
        });
    }
    (ring, text(KEYS))
}

#[library_benchmark]
#[bench::among_10_000_keys(ring())]
fn auth((ring, presented): (Keyring, String)) -> (Keyring, Option<Arc<Holder>>) {
    let found = ring.find(black_box(&presented), NOW);
    (ring, black_box(found))
}

/// A limit of each kind, with room for one call and more.
fn every_limit() -> KeyLimits {
    let much = Money::from_nanos(1_000_000_000_000);
    let budgets = ["day", "week", "month", "total", "sonnet/week"];
    KeyLimits {
        window: Some(WindowLimit {
            seconds: 18_000,
            requests: Some(1_000),
            tokens: Some(1_000_000_000),
            cost: Some(much),
        }),
        budgets: budgets.map(|name| (name.parse().expect("a budget"), much)).into(),
        weekly_reset: None,
        concurrency: Some(100),
        queue: None,
    }
}

/// A tally that has seen a call.
fn tally() -> (Tally, Key, Calendar, ModelFamily) {
    let calendar = Calendar::new(TimeZone::UTC);
    let (key, family, mut tally) = (key(1), ModelFamily::of(MODEL), Tally::default());
    let ask = Ask { at: NOW, family: &family, expected: Amount::default() };
    let claim = tally.admit(&key.limits, &ask, &calendar).expect("room");
    tally.settle(&key.limits, &claim, (&family, Amount::default()));
    (tally, key, calendar, family)
}

#[library_benchmark]
#[bench::with_every_limit(tally())]
fn admit_and_settle(
    (mut tally, key, calendar, family): (Tally, Key, Calendar, ModelFamily),
) -> (Tally, Key, Calendar, ModelFamily) {
    let used = Amount { tokens: 2_000, cost: Money::from_nanos(30_000) };
    limit::admit(black_box(&key), key.first_used_at, black_box(NOW)).expect("it may call");
    let ask = Ask { at: NOW, family: &family, expected: used };
    let claim = tally.admit(&key.limits, black_box(&ask), &calendar).expect("room");
    black_box(tally.settle(&key.limits, &claim, (&family, used)));
    (tally, key, calendar, family)
}

fn accounts(count: i64) -> Vec<Account> {
    let account = |id| Account {
        id: AccountId(id),
        name: format!("account-{id}"),
        note: String::new(),
        kind: AccountKind::ClaudeApi,
        speaks: Speaks::Both,
        project: None,
        base_url: "http://127.0.0.1:1".into(),
        key_header: KeyHeader::Auto,
        enabled: true,
        priority: 50,
        weight: 1,
        concurrency_max: Some(100),
        sharing: Sharing::Shared,
        models: Vec::new(),
        model_map: Vec::new(),
        extra_headers: Vec::new(),
        payload: Vec::new(),
        proxy: None,
        clients: ClientRule::Any,
        oauth: OauthSettings::default(),
        stop_at: StopAt::default(),
        daily_cost_max: None,
        ends_at: None,
        deadlines: Deadlines::default(),
        groups: Vec::new(),
        created_at: NOW,
    };
    (1..=count).map(account).collect()
}

fn view(account: &Account) -> AccountView<'_> {
    AccountView {
        account,
        in_flight: u32::try_from(account.id.0 * 7 % 5).unwrap_or(0),
        last_used: NOW,
        standing: Standing::Open,
        probed: false,
        doubted: false,
        headroom: 1_000,
        closed: None,
        plan: Plan::Has,
    }
}

/// Accounts that live as long as the process, as views borrow them.
fn views(count: i64) -> Vec<AccountView<'static>> {
    Vec::leak(accounts(count)).iter().map(view).collect()
}

#[library_benchmark]
#[bench::of_1_account(views(1))]
#[bench::of_10_accounts(views(10))]
#[bench::of_100_accounts(views(100))]
fn choose(views: Vec<AccountView<'static>>) -> Result<Choice, NoCapacity> {
    let want = Demand {
        service: Service::Claude,
        model: MODEL,
        client: "claude_code",
        pool: Pool::Shared,
        pinned: None,
        hold: Hold::Soft,
        tried: &[],
    };
    let choice = schedule::choose(black_box(&views), black_box(&want));
    std::mem::forget(views);
    choice
}

/// A stream of 100 deltas, an event a chunk.
fn stream() -> Vec<Bytes> {
    let delta = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\
                 \"delta\":{\"type\":\"text_delta\",\"text\":\" quite some words\"}}\n\n";
    let before = [
        format!(
            "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"model\":\
             \"{MODEL}\",\"usage\":{{\"input_tokens\":12,\"output_tokens\":1}}}}}}\n\n"
        ),
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\
         \"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
            .into(),
    ];
    let after = [
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\
         \"end_turn\"},\"usage\":{\"output_tokens\":300}}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    ];
    let deltas = std::iter::repeat_n(delta, 100);
    let rest = deltas.chain(after).map(str::to_owned);
    before.into_iter().chain(rest).map(Bytes::from).collect()
}

#[library_benchmark]
#[bench::a_stream_of_100_events(stream())]
fn meter(chunks: Vec<Bytes>) -> Metered {
    let (mut framer, mut meter) = (SseFramer::new(EVENT_BYTES_MAX), Meter::default());
    for chunk in chunks {
        let batch = framer.push(black_box(chunk)).expect("the events are small");
        for event in batch.events() {
            black_box(meter.observe(&event));
        }
    }
    meter.metered()
}

fn message() -> Vec<u8> {
    let text = "Words of an answer. ".repeat(40);
    format!(
        r#"{{"id":"msg_1","type":"message","role":"assistant","model":"{MODEL}","content":[{{"type":"text","text":"{text}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":12,"cache_creation_input_tokens":0,"cache_read_input_tokens":640,"output_tokens":160,"service_tier":"standard"}}}}"#
    )
    .into_bytes()
}

#[library_benchmark]
#[bench::of_1_kb(message())]
fn meter_unary(body: Vec<u8>) -> (Vec<u8>, Option<Metered>) {
    let metered = unary(black_box(&body));
    (body, black_box(metered))
}

/// What a call is settled with.
struct Books {
    prices: PriceList,
    journal: Journal,
    record: CallRecord,
    _folder: TempDir,
}

fn books() -> Books {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (journal, _) =
        Journal::open(folder.path(), JournalOptions::default()).expect("the journal opens");
    let prices = PriceList::new(vec![relay::prices::builtin::catalogue()], Vec::new(), 0);
    let mut books = Books { prices, journal, record: record(), _folder: folder };
    // The first of a model looks its price up, and the first entry opens a segment.
    books.settle();
    books
}

fn record() -> CallRecord {
    let account = AccountId(1);
    CallRecord {
        window: None,
        call: CallId::new(NOW, [7; 10]),
        key: KeyId(1),
        account,
        at: NOW,
        path: "/api/v1/messages".into(),
        model_asked: MODEL.into(),
        model_served: MODEL.into(),
        client: "claude_code".into(),
        session: None,
        streamed: true,
        status: 200,
        outcome: Outcome::Completed,
        usage: TokenUsage { input: 12, output: 845, cache_read: 64_000, ..TokenUsage::default() },
        exactness: Exactness::Exact,
        cost: Money::ZERO,
        priced_by: PricedBy::default(),
        service_tier: "standard".into(),
        speed: String::new(),
        first_byte_millis: Some(900),
        total_millis: 12_000,
        attempts: vec![Attempt {
            account,
            at: NOW,
            millis: 11_990,
            status: Some(200),
            fault: None,
            maybe_billed: false,
        }],
    }
}

impl Books {
    /// Prices the call and appends its record.
    fn settle(&mut self) -> Option<Position> {
        let record = &self.record;
        let priced = self.prices.price(&Bill {
            service: Service::Claude,
            asked: &record.model_asked,
            served: &record.model_served,
            usage: &record.usage,
            service_tier: &record.service_tier,
            speed: &record.speed,
            at: record.at,
        });
        let record = CallRecord { cost: priced.cost, priced_by: priced.by, ..record.clone() };
        self.journal.append(&Entry::Settled(record)).ok()
    }
}

#[library_benchmark]
#[bench::a_record(books())]
fn settle(mut books: Books) -> (Books, Option<Position>) {
    let position = black_box(&mut books).settle();
    (books, position)
}

library_benchmark_group!(
    name = hot,
    benchmarks = [peek, auth, admit_and_settle, choose, meter, meter_unary, settle]
);

gungraun::main!(library_benchmark_groups = hot);
