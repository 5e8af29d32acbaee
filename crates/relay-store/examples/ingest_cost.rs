//! What it costs to take calls into the database: processor time per row, by size of batch.
//!
//! Run with `cargo run --release -p relay-store --example ingest_cost [BATCH]...`.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;

use relay_core::clock::Timestamp;
use relay_core::id::{AccountId, CallId, KeyId, SessionId};
use relay_core::money::Money;
use relay_core::price::PricedBy;
use relay_core::secret::Secret;
use relay_core::usage::{Attempt, CallRecord, Exactness, Outcome, TokenUsage};
use relay_store::Store;
use relay_store::journal::Position;
use relay_store::vault::MasterKey;

const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
const ROWS: u32 = 200_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let asked: Vec<usize> =
        std::env::args().skip(1).map(|it| it.parse()).collect::<Result<_, _>>()?;
    for batch in if asked.is_empty() { vec![1, 10, 100, 500] } else { asked } {
        let dir = std::env::temp_dir().join(format!("ingest-cost-{}", std::process::id()));
        fs::create_dir(&dir)?;
        let rows = if batch == 1 { ROWS / 10 } else { ROWS };
        let micros = measure(&dir.join("crs.db"), rows, batch).await;
        fs::remove_dir_all(&dir)?;
        writeln!(std::io::stdout(), "batch {batch:>3}: {:.1} µs a row", micros?)?;
    }
    Ok(())
}

/// Processor time per row of `rows` calls taken in by batches of `batch`, after a tenth of them.
async fn measure(path: &Path, rows: u32, batch: usize) -> Result<f64, Box<dyn Error>> {
    let words = Secret::new("the words that open the databases of this measurement");
    let store = Store::open(path, &MasterKey::from_text(&words)?, START).await?;
    let records: Vec<CallRecord> = (0..rows).map(record).collect();
    let (warm_up, measured) = records.split_at(records.len() / 10);
    let mut before = 0;
    for part in [warm_up, measured] {
        before = cpu_ticks()?;
        for records in part.chunks(batch) {
            store.ingest(records, Position { segment: 1, offset: 1 }).await?;
        }
    }
    let spent = cpu_ticks()? - before;
    store.close().await;
    // The kernel's clock for processes ticks a hundred times a second.
    Ok(f64::from(spent) * 10_000.0 / f64::from(u32::try_from(measured.len())?))
}

/// User and system time of this process so far.
fn cpu_ticks() -> Result<u32, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("an unknown form of /proc/self/stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    Ok(fields[11].parse::<u32>()? + fields[12].parse::<u32>()?)
}

/// A call like those of a busy team: 200 keys, 10 accounts, 20 calls a second.
fn record(number: u32) -> CallRecord {
    let at = Timestamp::from_millis(START.as_millis() + i64::from(number) * 50);
    let mut random = [7; 10];
    random[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
    let account = AccountId(i64::from(number * 7 % 10));
    let model = ["claude-sonnet-4-6", "claude-opus-4-8", "claude-haiku-5-5"];
    CallRecord {
        call: CallId::new(at, random),
        key: KeyId(i64::from(number.wrapping_mul(31) % 200)),
        account,
        at,
        path: "/api/v1/messages".into(),
        model_asked: model[number as usize % 3].into(),
        model_served: model[number as usize % 3].into(),
        client: "claude_code".into(),
        session: Some(SessionId(u128::from(number / 20).to_be_bytes())),
        streamed: true,
        status: 200,
        outcome: Outcome::Completed,
        usage: TokenUsage { input: 12, output: 845, cache_read: 64_000, ..TokenUsage::default() },
        exactness: Exactness::Exact,
        cost: Money::from_nanos(31_915_000),
        priced_by: PricedBy { version: "genai-prices 0.2.1".into(), ..PricedBy::default() },
        service_tier: "standard".into(),
        speed: String::new(),
        first_byte_millis: Some(900),
        total_millis: 12_000,
        attempts: vec![Attempt {
            account,
            at,
            millis: 11_990,
            status: Some(200),
            fault: None,
            maybe_billed: false,
        }],
    }
}
