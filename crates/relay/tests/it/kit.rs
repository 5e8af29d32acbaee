//! A relay within the test: the real router and loop, real sockets, a real database, and a clock
//! that only the test moves.

use std::sync::Arc;
use std::time::Duration;

use relay::app::App;
use relay::bookkeeping::Bookkeeper;
use relay::config::{Layers, Settings};
use relay::roster::Member;
use relay::serve::{Started, start};
use relay::server::{self, Lanes};
use relay::shutdown::Stage;
use relay::watch::save_once;
use relay_core::account::AccountKind;
use relay_core::clock::{Clock, ManualClock, Timestamp};
use relay_core::id::{AccountId, KeyId};
use relay_core::key::{Binding, BindingTarget, KeyLimits, KeyRules};
use relay_core::protocol::Service;
use relay_core::secret::Secret;
use relay_core::usage::CallRecord;
use relay_store::accounts::{AccountChange, NewAccount};
use relay_store::data_dir::DataDir;
use relay_store::journal::{Entry, Position};
use relay_store::keys::{KeyChange, NewKey};
use relay_store::pool::Store;
use relay_store::vault::{KeyHasher, MasterKey, generate_key};
use relay_testkit::{Client, FakeProvider};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// When every test begins.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// A running relay.
pub(crate) struct TestRelay {
    /// What its calls share.
    pub(crate) app: Arc<App>,
    /// Its clock.
    pub(crate) clock: Arc<ManualClock>,
    /// Its address.
    pub(crate) base_url: String,
    /// A client with the key `tests`.
    pub(crate) client: Client,
    /// The writer of records, which a test runs when it wants to.
    pub(crate) books: Option<Bookkeeper>,
    /// The last edit that the relay knew at its start.
    pub(crate) changes_seen: i64,
    server: JoinHandle<()>,
    directory: TempDir,
    secret: Secret,
    master: MasterKey,
}

/// An account that points at a fake provider; its secret is `upstream-NAME`.
pub(crate) fn account(name: &str, provider: &FakeProvider) -> NewAccount {
    let secret = Secret::new(format!("upstream-{name}"));
    NewAccount::new(name, AccountKind::ClaudeApi, &provider.base_url(), secret)
}

impl TestRelay {
    /// A relay with one account, `a`.
    pub(crate) async fn with(provider: &FakeProvider) -> Self {
        Self::start([account("a", provider)], &[]).await
    }

    /// A relay with these accounts, in the order of their priority, and these settings.
    pub(crate) async fn start(
        accounts: impl IntoIterator<Item = NewAccount>,
        settings: &[(&str, &str)],
    ) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let dir = DataDir::create(directory.path()).expect("a data directory");
        let (master, _) = MasterKey::load(&dir, None, false).expect("a master key");
        let store = Store::open(&dir.database(), &master, START).await.expect("a database");
        for (priority, mut account) in (1..).zip(accounts) {
            account.priority = priority;
            store.add_account(&account, START).await.expect("added");
        }
        let secret = add_key(&store, "tests").await.1;
        Self::run(directory, master, store, secret, START, settings).await
    }

    /// Stops this relay and starts another on the same data, with the same key and clock.
    pub(crate) async fn restart(mut self, settings: &[(&str, &str)]) -> Self {
        self.stop().await;
        save_once(&self.app).await;
        self.app.store.close().await;
        let (dir, now) = (self.data_dir(), self.app.now());
        let (directory, master) = (self.directory, self.master);
        let store = Store::open(&dir.database(), &master, now).await.expect("a database");
        Self::run(directory, master, store, self.secret, now, settings).await
    }

    async fn run(
        directory: TempDir,
        master: MasterKey,
        store: Store,
        secret: Secret,
        now: Timestamp,
        settings: &[(&str, &str)],
    ) -> Self {
        let dir = DataDir::open(directory.path()).expect("the data directory");
        let clock = Arc::new(ManualClock::new(now));
        let given = settings.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let layers = Layers::gather(
            [("DATA_DIR", directory.path().display().to_string())],
            given,
            directory.path(),
            None,
        );
        let settings = Settings::load(layers).expect("good settings").settings;
        let Started { app, bookkeeper, outbox, changes_seen } =
            Box::pin(start(settings, &dir, store.clone(), Arc::clone(&clock) as Arc<dyn Clock>))
                .await
                .expect("a start");
        tokio::spawn(outbox.run(store));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base_url = format!("http://{}", listener.local_addr().expect("an address"));
        let mut lanes = Lanes::here(&app);
        let serving = Arc::clone(&app);
        let server = tokio::spawn(async move { server::run(serving, listener, &mut lanes).await });
        let client = Client::new(&base_url).anthropic(secret.expose());
        let books = Some(bookkeeper);
        Self {
            app,
            clock,
            base_url,
            client,
            books,
            changes_seen,
            server,
            directory,
            secret,
            master,
        }
    }

    /// Lets the clock run, so many times faster than the machine's, until this is dropped.
    pub(crate) fn clock_runs(&self, speed: u32) -> JoinSet<()> {
        let clock = Arc::clone(&self.clock);
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(1));
            let mut before = ticks.tick().await;
            loop {
                ticks.tick().await;
                let now = tokio::time::Instant::now();
                clock.advance((now - before) * speed);
                before = now;
            }
        });
        running
    }

    /// The directory of its data.
    pub(crate) fn data_dir(&self) -> DataDir {
        DataDir::open(self.directory.path()).expect("the data directory")
    }

    /// The account of that name.
    pub(crate) async fn account_id(&self, name: &str) -> AccountId {
        self.app.store.find_account(name).await.expect("a query").expect("an account").account.id
    }

    /// The secret of the key `tests`.
    pub(crate) fn key(&self) -> &str {
        self.secret.expose()
    }

    /// Edits an account, known at once.
    pub(crate) async fn edit_account(&self, name: &str, change: &AccountChange) {
        let id = self.account_id(name).await;
        self.app.store.change_account(id, change, self.app.now()).await.expect("changed");
        self.app.roster.put(self.app.store.account(id).await.expect("a query").expect("there"));
    }

    /// Binds the key `tests` for calls to Claude, known at once.
    pub(crate) async fn bind(&self, target: BindingTarget) {
        let id = self.app.store.find_key("tests").await.expect("a query").expect("a key").key.id;
        let bindings = Some(vec![Binding { service: Service::Claude, target }]);
        self.change_key(id, KeyChange { bindings, ..KeyChange::default() }).await;
    }

    /// Adds a key, known at once.
    pub(crate) async fn add_key(&self, name: &str) -> (KeyId, Client) {
        let (id, secret) = self.add_secret(name).await;
        (id, Client::new(&self.base_url).anthropic(&secret))
    }

    /// Adds a key, known at once, and gives its text.
    pub(crate) async fn add_secret(&self, name: &str) -> (KeyId, String) {
        let (id, secret) = add_key(&self.app.store, name).await;
        self.app.keys.put(self.app.store.key(id).await.expect("a query").expect("a key"));
        (id, secret.expose().to_owned())
    }

    /// Changes a key; what changed holds at once.
    pub(crate) async fn change_key(&self, id: KeyId, change: KeyChange) {
        let store = &self.app.store;
        assert!(store.change_key(id, &change, self.app.now()).await.expect("changed"));
        self.app.keys.put(store.key(id).await.expect("a query").expect("a key"));
    }

    /// The records that stand in the journal, in order.
    pub(crate) fn records(&self) -> Vec<CallRecord> {
        let entries = self.app.journal.tail(Position::START).next_batch(100_000);
        let settled =
            entries.expect("a readable journal").into_iter().filter_map(|(entry, _)| match entry {
                Entry::Settled(record) => Some(record),
                Entry::Opened(_) => None,
            });
        settled.collect()
    }

    /// The one record there is, once no call is open.
    pub(crate) async fn only_record(&self) -> CallRecord {
        self.app.shutdown.until_no_call_is_open().await;
        let mut records = self.records();
        assert_eq!(records.len(), 1, "{records:#?}");
        records.remove(0)
    }

    /// Whether the account of that name rests.
    pub(crate) async fn rests(&self, name: &str) -> bool {
        let member = self.app.roster.find(self.account_id(name).await).expect("an account");
        let (account, families) = member.shared.notes.rests(self.app.now());
        account.is_some() || !families.is_empty()
    }

    /// The names of all events, in order, once one of that name has come to the database.
    pub(crate) async fn events_until(&self, last: &str) -> Vec<&'static str> {
        self.events_until_all(&[last]).await
    }

    /// The names of all events, in order, once as many of each of these have come.
    pub(crate) async fn events_until_all(&self, wanted: &[&str]) -> Vec<&'static str> {
        let arrived = async {
            loop {
                let events = self.app.store.pending_events(1_000).await.expect("a query");
                let names: Vec<_> = events.iter().map(|it| it.event.name()).collect();
                let count = |among: &[&str], name| among.iter().filter(|it| **it == name).count();
                if wanted.iter().all(|name| count(&names, *name) >= count(wanted, *name)) {
                    return names;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), arrived).await.expect("the event comes")
    }

    /// Waits until no call is open, then makes sure that nothing was kept for one.
    pub(crate) async fn until_all_is_given_back(&self) {
        self.app.shutdown.until_no_call_is_open().await;
        let slots = |member: &Arc<Member>| member.shared.slots.in_flight();
        let in_flight: u32 = self.app.roster.snapshot().iter().map(slots).sum();
        assert_eq!((in_flight, self.app.keys.in_flight()), (0, Vec::new()));
        assert_eq!(self.app.bodies.used(), 0);
    }

    /// Takes no new calls and lets open ones end, those included whose clients have left; returns
    /// when every connection is closed.
    pub(crate) async fn stop(&mut self) {
        self.app.shutdown.advance(Stage::Draining);
        self.app.shutdown.until_no_call_is_open().await;
        self.end();
        (&mut self.server).await.expect("the server does not panic");
        self.app.shutdown.until_no_call_is_open().await;
    }

    /// Ends every open call at once.
    pub(crate) fn end(&self) {
        self.app.shutdown.advance(Stage::Ending);
    }
}

async fn add_key(store: &Store, name: &str) -> (KeyId, Secret) {
    let peppers = store.peppers().await.expect("peppers");
    let hasher = KeyHasher::new(&peppers[0]);
    let secret = generate_key("cr_");
    let key = NewKey {
        lasts: None,
        limits: KeyLimits::default(),
        rules: KeyRules::default(),
        name: name.to_owned(),
        note: String::new(),
        owner: String::new(),
        enabled: true,
        expires_at: None,
        bindings: Vec::new(),
        tags: Vec::new(),
        hash: hasher.hash(secret.expose()),
        pepper_id: hasher.pepper(),
        secret_tail: secret.last_four().to_owned(),
    };
    let ids = store.add_keys(&[key], START).await.expect("added");
    (ids[0], secret)
}
