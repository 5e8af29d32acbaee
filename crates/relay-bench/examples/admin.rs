//! How fast the admin API answers with much in the records: `make bench-admin`.
//!
//! Seeds a data directory with 10,000 keys, 100 accounts and 5 million calls of ninety days, by the
//! way that the journal's records go, starts the real program on it, and asks what pages ask, one
//! request after the other. Prints a table; `--write FILE` puts it between the document's marks.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use relay::verbs::admin::token::{self, NewToken, ScopeView};
use relay_core::account::AccountKind;
use relay_core::clock::{Clock, SystemClock, Timestamp};
use relay_core::id::{AccountId, CallId, KeyId};
use relay_core::key::{Budget, KeyLimits, KeyRules};
use relay_core::money::Money;
use relay_core::period::Period;
use relay_core::price::{PriceSource, PricedBy};
use relay_core::secret::Secret;
use relay_core::usage::{Attempt, CallRecord, Exactness, Outcome, TokenUsage};
use relay_store::Store;
use relay_store::accounts::NewAccount;
use relay_store::data_dir::DataDir;
use relay_store::journal::Position;
use relay_store::keys::NewKey;
use relay_store::vault::{KeyHasher, MasterKey, generate_key};
use relay_testkit::Client;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const BEGIN: &str = "<!-- admin -->";
const END: &str = "<!-- end of admin -->";
const DAYS: u32 = 90;
const KEYS_AT_ONCE: usize = 500;
const CALLS_AT_ONCE: u64 = 2_000;
/// How often each address is asked, after once that is not counted.
const ASKED: usize = 21;
const START_WITHIN: Duration = Duration::from_mins(1);
const MODELS: [&str; 6] = [
    "claude-sonnet-4-6",
    "claude-opus-4-8",
    "claude-haiku-4-5",
    "gpt-5.1-codex",
    "gemini-2.5-pro",
    "claude-sonnet-4-5",
];

/// What pages ask, by what a person would call it.
const ADDRESSES: [(&str, &str); 22] = [
    ("keys, first page", "/admin/keys"),
    ("keys, dearest first", "/admin/keys?sort=-cost_28d"),
    ("keys, page 300 by last use", "/admin/keys?sort=-last_used&page=300"),
    ("keys, search", "/admin/keys?q=person+77"),
    ("keys, search without a hit", "/admin/keys?q=nobody"),
    ("keys of one tag, nearest limit first", "/admin/keys?tag=team-3&sort=-limit"),
    ("a key", "/admin/keys/key_77"),
    ("accounts", "/admin/accounts?per_page=100"),
    ("dashboard, 24 hours", "/admin/dashboard?range=24h"),
    ("dashboard, 28 days", "/admin/dashboard?range=28d"),
    ("dashboard, 90 days", "/admin/dashboard?range=90d"),
    ("chart, 24 hours by model", "/admin/usage/series?range=24h&by=model&compare=true"),
    ("chart, 28 days by key", "/admin/usage/series?range=28d&by=key&compare=true"),
    ("chart, 90 days by account", "/admin/usage/series?range=90d&by=account"),
    ("chart of a key, 28 days", "/admin/usage/series?range=28d&by=model&key=key_77"),
    ("bill of this month", "/admin/usage/bills"),
    ("calls, newest", "/admin/calls"),
    ("calls of a key, 28 days", "/admin/calls?key=key_77&range=28d"),
    ("calls of an account", "/admin/calls?account=acct_7"),
    ("calls of an owner, 28 days", "/admin/calls?owner=Person+77&range=28d"),
    ("calls that failed, 24 hours", "/admin/calls?status=failed"),
    ("calls of a model, 24 hours", "/admin/calls?model=gemini-2.5-pro"),
];

/// Measures how fast the admin API answers with much in the records
#[derive(Debug, Parser)]
struct Options {
    /// The program
    #[arg(long, value_name = "FILE")]
    crs: PathBuf,
    /// How many keys
    #[arg(long, default_value_t = 10_000)]
    keys: u64,
    /// How many accounts
    #[arg(long, default_value_t = 100)]
    accounts: u64,
    /// How many calls
    #[arg(long, default_value_t = 5_000_000)]
    calls: u64,
    /// Put the table into this document, between its marks
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let directory = tempfile::tempdir()?;
    let seeded = Instant::now();
    let token = seed(directory.path(), &options).await?;
    let seeded = seeded.elapsed();
    let (mut relay, base) = start(&options.crs, directory.path()).await?;
    let bearer = format!("Bearer {}", token.expose());
    let client = Client::new(&base).header("authorization", &bearer);
    let (keys, accounts, calls) = (options.keys, options.accounts, options.calls);
    let mut lines = vec![
        format!(
            "Made by `make bench-admin ARGS=\"--write docs/performance.md\"`: {keys} keys, \
             {accounts} accounts, {calls} calls of {DAYS} days, seeded in {} s. Milliseconds from \
             the request to the whole answer, {ASKED} times one after the other.",
            seeded.as_secs()
        ),
        String::new(),
        "| what is asked | median | longest |".to_owned(),
        "|---|---|---|".to_owned(),
    ];
    for (name, path) in ADDRESSES {
        let (median, longest) = measure(&client, path).await?;
        lines.push(format!("| {name} | {median:.1} | {longest:.1} |"));
    }
    relay.start_kill()?;
    relay.wait().await?;
    let table = lines.join("\n");
    writeln!(std::io::stdout().lock(), "{table}")?;
    options.write.as_deref().map_or(Ok(()), |document| put_into(document, &table))
}

/// Writes all of it, and gives the token to ask with.
async fn seed(directory: &Path, options: &Options) -> anyhow::Result<Secret> {
    let now = SystemClock.now();
    let dir = DataDir::create(directory)?;
    let (master, _) = MasterKey::load(&dir, None, false)?;
    let store = Store::open(&dir.database(), &master, now).await?;
    for number in 1..=options.accounts {
        let (name, secret) = (format!("account-{number}"), Secret::new("upstream"));
        let new = NewAccount::new(&name, AccountKind::ClaudeApi, "http://127.0.0.1:9", secret);
        store.add_account(&new, now).await?;
    }
    let peppers = store.peppers().await?;
    let hasher = KeyHasher::new(peppers.first().context("a pepper")?);
    let keys: Vec<NewKey> = (1..=options.keys).map(|number| key(number, &hasher)).collect();
    for some in keys.chunks(KEYS_AT_ONCE) {
        store.add_keys(some, now).await?;
    }
    let mut dice = Dice(20_261_124);
    let mut made = 0;
    while made < options.calls {
        let some = CALLS_AT_ONCE.min(options.calls - made);
        let numbers = made..made + some;
        let records: Vec<CallRecord> =
            numbers.map(|number| call(number, options, now, &mut dice)).collect();
        store.ingest(&records, Position::START).await?;
        made += some;
    }
    let new = NewToken { name: "bench".into(), scopes: vec![ScopeView::Read], expires_at: None };
    let (_, token) = token::add(&store, new, "bench", now).await?;
    store.checkpoint().await?;
    store.close().await;
    Ok(token)
}

fn key(number: u64, hasher: &KeyHasher) -> NewKey {
    let secret = generate_key("cr_");
    let mut limits = KeyLimits::default();
    if number.is_multiple_of(2) {
        limits.budgets.insert(Budget::of(Period::Day), Money::from_nanos(5_000_000_000));
    }
    NewKey {
        name: format!("key-of-{number}"),
        note: String::new(),
        owner: format!("Person {number}"),
        enabled: !number.is_multiple_of(50),
        expires_at: None,
        lasts: None,
        limits,
        rules: KeyRules::default(),
        bindings: Vec::new(),
        tags: vec![format!("team-{}", number % 20)],
        hash: hasher.hash(secret.expose()),
        pepper_id: hasher.pepper(),
        secret_tail: secret.last_four().to_owned(),
    }
}

/// The call of that number: they are spread evenly over the days, and a tenth of the keys makes
/// half of them.
fn call(number: u64, options: &Options, now: Timestamp, dice: &mut Dice) -> CallRecord {
    let span = Duration::from_hours(24) * DAYS;
    let back = span.as_millis() * u128::from(options.calls - number) / u128::from(options.calls);
    let at = now.minus(Duration::from_millis(u64::try_from(back).unwrap_or(0)));
    let often = dice.next(2) == 0;
    let among = if often { options.keys.div_ceil(10) } else { options.keys };
    let id = |number: u64| i64::try_from(1 + number).unwrap_or(1);
    let (key, account) = (KeyId(id(dice.next(among))), AccountId(id(dice.next(options.accounts))));
    let model = MODELS[usize::try_from(dice.next(6)).unwrap_or(0)].to_owned();
    let (input, output) = (500 + dice.next(4_000), dice.next(2_000));
    let failed = dice.next(200) == 0;
    let status = if failed { 529 } else { 200 };
    CallRecord {
        call: CallId::new(at, dice.bytes()),
        key,
        account,
        at,
        path: "/v1/messages".to_owned(),
        model_asked: model.clone(),
        model_served: if failed { String::new() } else { model },
        client: "claude_code".to_owned(),
        session: None,
        streamed: true,
        status,
        outcome: if failed { Outcome::Failed } else { Outcome::Completed },
        usage: TokenUsage { input, output, ..TokenUsage::default() },
        exactness: Exactness::Exact,
        cost: Money::from_nanos(i64::try_from(output).unwrap_or(0) * 15_000),
        priced_by: PricedBy { version: "bench".to_owned(), source: PriceSource::Listed },
        service_tier: String::new(),
        speed: String::new(),
        first_byte_millis: Some(400 + dice.next(800)),
        total_millis: 900 + dice.next(9_000),
        attempts: vec![Attempt {
            account,
            at,
            millis: 900,
            status: Some(status),
            fault: failed.then(|| "overloaded".to_owned()),
            maybe_billed: false,
        }],
        window: None,
    }
}

/// The same numbers in each run (xorshift).
struct Dice(u64);

impl Dice {
    const fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn bytes(&mut self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.next(u64::MAX).to_be_bytes());
        bytes
    }
}

/// Starts the program, and gives its address.
async fn start(crs: &Path, directory: &Path) -> anyhow::Result<(Child, String)> {
    let mut relay = Command::new(crs)
        .args(["serve", "--host", "127.0.0.1", "--port", "0", "--data-dir"])
        .arg(directory)
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{} could not be started", crs.display()))?;
    let stdout = relay.stdout.take().context("its output")?;
    let mut lines = BufReader::new(stdout).lines();
    let listening = async {
        while let Some(line) = lines.next_line().await? {
            if let Some((_, address)) = line.split_once("http://") {
                return Ok(format!("http://{}", address.trim()));
            }
        }
        bail!("it ended before it listened")
    };
    let base = tokio::time::timeout(START_WITHIN, listening).await??;
    // What it prints later is read, so that it never waits for that.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((relay, base))
}

/// The median and the longest, in milliseconds.
async fn measure(client: &Client, path: &str) -> anyhow::Result<(f64, f64)> {
    let mut times = Vec::with_capacity(ASKED);
    for round in 0..=ASKED {
        let begun = Instant::now();
        let answer = client.get(path, &[]).await;
        let took = begun.elapsed();
        if answer.status != 200 {
            bail!("{path} answered {}", answer.status);
        }
        if round > 0 {
            times.push(took.as_secs_f64() * 1_000.0);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok((times[ASKED / 2], times[ASKED - 1]))
}

/// Puts the table between the marks of a document.
fn put_into(document: &Path, table: &str) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(document)?;
    let (before, rest) = text.split_once(BEGIN).context("the document has no mark")?;
    let (_, after) = rest.split_once(END).context("the document has no second mark")?;
    std::fs::write(document, format!("{before}{BEGIN}\n{table}\n{END}{after}"))?;
    Ok(())
}
