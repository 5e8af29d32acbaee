//! `crs serve`: brings everything up in order, serves, and takes it down in order.

mod open;
mod time_left;

use std::net::SocketAddr;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use relay_core::clock::{Clock, Timestamp};
use relay_core::secret::Secret;
use relay_store::credential_log::CredentialLog;
use relay_store::data_dir::DataDir;
use relay_store::journal::{Journal, JournalOptions, Position, Recovery, Tail};
use relay_store::pins::Pins;
use relay_store::pool::Store;
use relay_store::vault::KeyHasher;
use relay_upstream::client::tls_config;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::RwLock;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::admin::{self, Desk};
use crate::app::App;
use crate::body::BodyMemory;
use crate::bookkeeping::{Bookkeeper, Bookkeeping, settle_after_crash};
use crate::call::Orphanage;
use crate::config::{Loaded, Settings};
use crate::day::Calendar;
use crate::expectation::Caches;
use crate::guesses::Guesses;
use crate::ingress::{Counting, Sockets};
use crate::keyring::Keyring;
use crate::metrics::Metrics;
use crate::models::Catalogue;
use crate::open_calls::OpenCalls;
use crate::outbox::{OutboxWriter, outbox};
use crate::randomness::Randomness;
use crate::refusals::Refusals;
use crate::roster::Roster;
use crate::server::Lanes;
use crate::shutdown::{Shutdown, Stage};
use crate::text::tr;
use crate::{live, memory, prices, server, tallies, tokens, upkeep, watch};

use self::time_left::TimeLeft;

pub use self::open::{News, Opened, open};

/// Conversations whose account is remembered.
const PINS_MAX: usize = 100_000;
/// How long the last records may take to the database at the end; what is left then is brought
/// there by the next start.
const LAST_RECORDS_WITHIN: Duration = Duration::from_secs(5);
/// How long the last pins and counts of refusals may take to the database at the end.
const LAST_PINS_WITHIN: Duration = Duration::from_secs(3);
/// How long the database may take to close.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Serves until a signal, and returns when everything is settled.
pub async fn run(loaded: Loaded) -> anyhow::Result<()> {
    let begun = Instant::now();
    let opened = open(loaded, tell).await?;
    let listener = opened.listen(opened.settings.port)?;
    opened.serve(listener, begun, |_, address| announce(address)).await
}

/// What stands before the first call.
pub struct Started {
    /// Everything that calls share.
    pub app: Arc<App>,
    /// The writer of usage records.
    pub bookkeeper: Bookkeeper,
    /// The writer of events.
    pub outbox: OutboxWriter,
    /// The last change that was taken over.
    pub changes_seen: i64,
}

/// Loads what calls need into memory, and settles what a crash left open.
pub async fn start(
    settings: Settings,
    dir: &DataDir,
    store: Store,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Started> {
    store.keep_days(&settings.time_zone).await?;
    let consumed = store.journal_position().await?.unwrap_or(Position::START);
    let options =
        JournalOptions { durability: settings.durability, consumed, ..JournalOptions::default() };
    let (journal, recovery) = Journal::open(&dir.journal(), options)?;
    recover(&journal, recovery, clock.as_ref())?;

    let changes_seen = store.latest_change().await?;
    let peppers = store.peppers().await?;
    if peppers.is_empty() {
        bail!("the database has no pepper, so no key can be recognised; restore a backup");
    }
    let keys = Keyring::new(peppers.iter().map(KeyHasher::new).collect());
    let calendar = Calendar::new(settings.time_zone.clone());
    load_keys(&store, &keys, &calendar, clock.now()).await?;
    let credentials = CredentialLog::open(dir.credentials(), store.vault().clone())?;
    let taken_over = take_over(&store, &credentials, clock.now()).await?;
    let roster = roster(&store, &calendar, clock.now()).await?;
    let mut on_their_way = journal.tail(consumed);
    count_on_their_way((&roster, &keys), &calendar, &mut on_their_way)?;
    let pins = Pins::new(PINS_MAX);
    let now = clock.now();
    pins.load(store.load_pins(now).await?, now);
    tracing::info!(keys = keys.len(), accounts = roster.snapshot().len(), "loaded");

    let metrics = Arc::new(Metrics::new(clock.now()));
    let (outbox, outbox_writer) = outbox(Arc::clone(&metrics));
    let bookkeeping = Bookkeeping::default();
    let bookkeeper = Bookkeeper::new(journal.clone(), store.clone(), consumed, bookkeeping.clone());
    let app = App {
        prices: ArcSwap::from_pointee(prices::load(&store).await?),
        credentials,
        unfinished: RwLock::default(),
        calendar,
        randomness: Randomness::default(),
        retries: Mutex::default(),
        bodies: BodyMemory::new(settings.calls.body_memory_bytes),
        models: Catalogue::default(),
        caches: Caches::default(),
        sockets: Sockets::default(),
        counting: Counting::default(),
        orphanage: Orphanage::default(),
        open_calls: OpenCalls::default(),
        stranger_warning: Once::new(),
        guesses: Guesses::default(),
        edits: watch::Edits::default(),
        desk: Desk::default(),
        refusals: Refusals::default(),
        shutdown: Shutdown::default(),
        settings,
        clock,
        store,
        journal,
        roster,
        keys,
        pins,
        outbox,
        metrics,
        bookkeeping,
    };
    app.desk.read_site(&app.store).await?;
    let app = Arc::new(app);
    if taken_over == TakenOver::Later {
        tokens::resume(&app);
    }
    Ok(Started { app, bookkeeper, outbox: outbox_writer, changes_seen })
}

/// Whether the database has what the last run refreshed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TakenOver {
    Yes,
    Later,
}

/// Brings to the database what the last run refreshed. One that is locked does not stop the start.
async fn take_over(
    store: &Store,
    credentials: &CredentialLog,
    now: Timestamp,
) -> anyhow::Result<TakenOver> {
    match store.take_over(credentials, now).await {
        Ok(in_doubt) => {
            for account in in_doubt {
                tracing::warn!(%account, "the last run stopped within a refresh; its token is tried once more");
            }
            Ok(TakenOver::Yes)
        }
        Err(error) if error.is_transient() => {
            tracing::warn!(%error, "what the last run refreshed is not in the database yet");
            Ok(TakenOver::Later)
        }
        Err(error) => Err(error.into()),
    }
}

/// The accounts, with what the machine noted of them and what they spent today.
async fn roster(store: &Store, calendar: &Calendar, now: Timestamp) -> anyhow::Result<Roster> {
    let roster = Roster::new(tls_config());
    for stored in store.accounts().await? {
        roster.put(stored);
    }
    for (account, note) in store.account_notes().await? {
        if let Some(member) = roster.find(account) {
            member.shared.notes.load(&note);
        }
    }
    let day = calendar.day(now);
    for (account, cost) in store.account_costs_since(day.from).await? {
        if let Some(member) = roster.find(account) {
            member.shared.spend(cost, day);
        }
    }
    Ok(roster)
}

/// The keys, with what they have used.
async fn load_keys(
    store: &Store,
    keys: &Keyring,
    calendar: &Calendar,
    now: Timestamp,
) -> anyhow::Result<()> {
    let all = store.keys().await?;
    let mut used = tallies::allowances(store, &all, calendar, now).await?;
    for stored in all {
        let allowance = used.remove(&stored.key.id).unwrap_or_default();
        keys.put_used(stored, allowance);
    }
    Ok(())
}

/// Counts the calls whose records the database does not have yet.
fn count_on_their_way(
    (roster, keys): (&Roster, &Keyring),
    calendar: &Calendar,
    records: &mut Tail,
) -> anyhow::Result<()> {
    const RECORDS_MAX: usize = 500;
    loop {
        let batch = records.next_settled(RECORDS_MAX)?;
        if batch.is_empty() {
            return Ok(());
        }
        for record in batch {
            if let Some(member) = roster.find(record.account) {
                member.shared.spend(record.cost, calendar.day(record.at));
            }
            if let Some(holder) = keys.by_id(record.key) {
                tallies::add(&holder, &record, calendar);
            }
        }
    }
}

fn recover(journal: &Journal, recovery: Recovery, clock: &dyn Clock) -> anyhow::Result<()> {
    if recovery.damaged_lines > 0 {
        tracing::warn!(lines = recovery.damaged_lines, "the journal has damaged lines; skipped");
    }
    let settled = settle_after_crash(journal, recovery.unsettled, clock)?;
    if settled > 0 {
        tracing::warn!(calls = settled, "calls that the last run left open were settled");
    }
    Ok(())
}

/// Serves until the end. It is ready once signals and commands are listened to as well.
async fn serve(
    started: Started,
    listener: TcpListener,
    (dir, begun): (&DataDir, Instant),
    ready: impl FnOnce(&Arc<App>, SocketAddr),
) -> anyhow::Result<()> {
    let Started { app, bookkeeper, outbox, changes_seen } = started;
    let socket = live::listen(dir).context("cannot open the socket for commands")?;
    let address = listener.local_addr()?;
    let mut lanes = Lanes::threads(&app).context("cannot start the threads that serve")?;
    let behind: Vec<JoinHandle<()>> = vec![
        tokio::spawn(watch::run(Arc::clone(&app), changes_seen)),
        tokio::spawn(watch::save(Arc::clone(&app))),
        tokio::spawn(upkeep::run(Arc::clone(&app))),
        tokio::spawn(live::run(Arc::clone(&app), socket, address)),
        tokio::spawn(outbox.run(app.store.clone())),
        tokio::spawn(memory::give_back()),
        tokio::spawn(admin::gather(Arc::clone(&app))),
    ];
    let books = tokio::spawn(bookkeeper.run());
    tokio::spawn(follow_signals(app.shutdown.clone(), app.settings.shutdown_grace)?);
    let stopping = app.shutdown.reached(Stage::Draining);
    let stop_begun = tokio::spawn(async move {
        stopping.await;
        Instant::now()
    });
    ready(&app, address);
    tracing::info!(ready_ms = begun.elapsed().as_millis(), "listening on http://{address}");

    server::run(Arc::clone(&app), listener, &mut lanes).await;
    for task in behind {
        task.abort();
    }
    let time_left = TimeLeft::of_stop(stop_begun.await?, app.settings.shutdown_grace);
    // Held to the end, so that no refresh begins any more.
    let finished = timeout(time_left.for_refreshes(), app.unfinished.write()).await;
    if finished.is_err() {
        tracing::warn!("a refresh of a token did not end in time; its token is tried once more");
    }
    if timeout(time_left.for_step(LAST_PINS_WITHIN), watch::save_once(&app)).await.is_err() {
        tracing::warn!("the database took no pins; conversations may move to other accounts");
    }
    let recorded =
        timeout(time_left.for_step(LAST_RECORDS_WITHIN), last_records(&app, books)).await;
    if recorded.is_err() {
        tracing::warn!("the database took no records; the next start brings them there");
    }
    drop(lanes);
    let _ = std::fs::remove_file(dir.socket());
    if timeout(time_left.for_step(CLOSE_WITHIN), app.store.close()).await.is_err() {
        tracing::warn!("the database was not closed in time; its log is read at the next start");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Brings the last records to the database.
async fn last_records(app: &App, books: JoinHandle<()>) {
    books.abort();
    app.shutdown.until_no_call_is_open().await;
    let _ = books.await;
    let from = app.store.journal_position().await.ok().flatten().unwrap_or(Position::START);
    let (journal, store) = (app.journal.clone(), app.store.clone());
    Bookkeeper::new(journal, store, from, app.bookkeeping.clone()).finish().await;
}

/// The first signal lets calls end within the grace; the second ends them at once.
fn follow_signals(
    shutdown: Shutdown,
    grace: Duration,
) -> anyhow::Result<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next().await;
        tracing::info!(calls = shutdown.open_calls(), "stopping; waiting for open calls");
        shutdown.advance(Stage::Draining);
        tokio::select! {
            () = shutdown.until_no_call_is_open() => {}
            () = tokio::time::sleep(grace) => {}
            () = next() => {}
        }
        shutdown.advance(Stage::Ending);
    })
}

/// What `crs serve` says of its news.
fn tell(news: News<'_>) {
    match news {
        News::MasterKey(file) => {
            say(&tr!("made a master key: {file} (keep a copy of it)", file = file.display()));
        }
        News::Administrator { username, password } => {
            let given = tr!("as given");
            let shown = password.map_or(given.as_str(), Secret::expose);
            say(&tr!("administrator: {username}\npassword: {shown}", username, shown));
        }
    }
}

fn announce(address: SocketAddr) {
    say(&tr!("listening on http://{address}", address));
}

#[expect(clippy::print_stdout, reason = "what people see when they start it by hand")]
fn say(text: &str) {
    println!("{text}");
}
