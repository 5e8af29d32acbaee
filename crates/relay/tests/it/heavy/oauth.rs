//! Promise 9 with the real binary: tokens that live two seconds and can be refreshed once each,
//! under load, and a relay that is killed between any two steps of a refresh.

mod crowd;
mod locked;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use http::header::USER_AGENT;
use relay_core::account::{AccountKind, OauthSettings};
use relay_core::clock::{Clock, SystemClock};
use relay_core::credential::Credential;
use relay_store::accounts::NewAccount;
use relay_store::data_dir::DataDir;
use relay_store::pool::Store;
use relay_store::vault::MasterKey;
use relay_testkit::{
    Client, FakeProvider, IssuedTokens, RefreshOutcome, RelayProcess, SeenRequest, messages_body,
};
use tempfile::TempDir;

use self::crowd::Crowd;
use super::CRS;
use super::books::Books;
use super::site::{MESSAGES, SONNET, until};
use crate::oauth::{CLAUDE_CODE, tokens};

/// How long tokens live that are to be refreshed again and again.
const SHORT: Duration = Duration::from_secs(2);
/// How long they live that are not.
const LONG: Duration = Duration::from_hours(8);
/// After so long a pair has come to the relay and to its disk.
const STORED_AFTER: Duration = Duration::from_millis(250);
/// Until so long after a refresh the next is not due.
const NOT_DUE_UNTIL: Duration = Duration::from_millis(1_200);
const PATIENCE: Duration = Duration::from_secs(20);

const SIGNED_OUT: &str = "select count(*) from accounts where signed_out_at is not null";
const SIGN_OUTS_TOLD: &str = "select count(*) from outbox where name = 'account_signed_out'";

/// A relay whose accounts are signed in to.
struct SignedIn {
    provider: FakeProvider,
    relay: RelayProcess,
    key: String,
    books: Books,
    home: TempDir,
}

impl SignedIn {
    /// Starts with these accounts, in the order of `accounts`, whose tokens live so long. They are
    /// put into the database before, so that nothing depends on commands.
    async fn with(accounts: &[(&str, i32, Duration)]) -> Self {
        let provider = FakeProvider::start().await;
        provider.accepts_only_claude_code();
        let home = tempfile::tempdir().expect("a directory");
        let dir = DataDir::create(home.path().join("data")).expect("a data directory");
        let (master, _) = MasterKey::load(&dir, None, false).expect("a master key");
        let now = SystemClock.now();
        let store = Store::open(&dir.database(), &master, now).await.expect("a database");
        for (name, priority, lifetime) in accounts {
            let account = account(name, &provider, &provider.issues(name, *lifetime));
            let account = NewAccount { priority: *priority, ..account };
            store.add_account(&account, now).await.expect("added");
        }
        store.close().await;
        let relay = RelayProcess::builder(CRS).data_dir(dir.root()).start().await;
        let key = relay.add_key("tests").await;
        let books = Books::open(dir.root()).await;
        let site = Self { provider, relay, key, books, home };
        until("the key is known", PATIENCE, async || site.ask("knocks").await.0 != 401).await;
        site
    }

    fn client(&self) -> Client {
        claude_code(self.relay.base_url(), &self.key)
    }

    /// A call: its status, and whose account was asked last.
    async fn ask(&self, text: &str) -> (u16, String) {
        let answer = self.client().post(MESSAGES, &[], messages_body(SONNET, text)).await;
        let asked = self.provider.requests().into_iter().rfind(SeenRequest::is_message);
        (answer.status, asked.map(|seen| seen.owner).unwrap_or_default())
    }

    /// Returns when no refresh is under way, none is due for a while, and all are on disk.
    async fn until_no_refresh_is_near(&self, owners: &[&str]) {
        until("no refresh is near", PATIENCE, async || {
            let seen = self.provider.refreshes();
            owners.iter().all(|owner| {
                let last = seen.iter().rfind(|it| it.owner == **owner);
                last.is_some_and(|it| {
                    let ago = it.at.elapsed();
                    it.outcome == RefreshOutcome::Granted
                        && STORED_AFTER < ago
                        && ago < NOT_DUE_UNTIL
                })
            })
        })
        .await;
    }

    /// How many refreshes of each owner there were.
    fn refreshes(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for seen in self.provider.refreshes() {
            *counts.entry(seen.owner).or_default() += 1;
        }
        counts
    }

    async fn until_more_refreshes(&self, count: usize) {
        self.provider.until_refreshes(self.provider.refreshes().len() + count).await;
    }

    /// No token was used twice, and everybody is signed in.
    async fn assert_all_is_well(&mut self) {
        assert_eq!(self.provider.reused(), 0, "{:#?}", self.provider.refreshes());
        let refreshes = self.provider.refreshes();
        let is_well =
            |it: RefreshOutcome| matches!(it, RefreshOutcome::Granted | RefreshOutcome::Waiting);
        assert!(refreshes.iter().all(|seen| is_well(seen.outcome)), "{refreshes:#?}");
        assert_eq!(self.books.number(SIGNED_OUT).await, 0);
        assert_eq!(self.books.number(SIGN_OUTS_TOLD).await, 0);
    }

    /// Lets tokens live long, and waits until nothing is left on disk but what is in the database.
    async fn until_all_is_stored(&self, owners: &[&str]) {
        let since = Instant::now();
        for owner in owners {
            self.provider.sets_lifetime(owner, LONG);
        }
        until("all have a token that lives long", PATIENCE, async || {
            let seen = self.provider.refreshes();
            owners.iter().all(|owner| {
                let last = seen.iter().rfind(|it| it.owner == **owner);
                last.is_some_and(|it| it.at >= since || it.at.elapsed() > 2 * SHORT)
            })
        })
        .await;
        let credentials = self.home.path().join("data/credentials");
        until("no refresh is left on disk", PATIENCE, async || is_empty(&credentials)).await;
    }
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).expect("a directory").count() == 0
}

fn claude_code(base_url: &str, key: &str) -> Client {
    Client::new(base_url).anthropic(key).header(USER_AGENT.as_str(), CLAUDE_CODE)
}

fn account(name: &str, provider: &FakeProvider, issued: &IssuedTokens) -> NewAccount {
    let credential = Credential::Tokens(tokens(issued, SystemClock.now()));
    let kind = AccountKind::ClaudeOauth;
    NewAccount {
        oauth: OauthSettings { token_url: Some(provider.token_url()), ..OauthSettings::default() },
        ..NewAccount::signed_in(name, kind, &provider.base_url(), credential)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_crashes_under_load_lose_no_sign_in_and_use_no_token_twice() {
    const SPAN: Duration = Duration::from_secs(5);
    let mut site = SignedIn::with(&[("a", 1, SHORT), ("b", 1, SHORT)]).await;
    site.provider.refresh_delay(Duration::from_millis(30));
    let begun = Instant::now();
    let crowd = Crowd::begins(site.relay.base_url(), &site.key);
    for _ in 0..3 {
        tokio::time::sleep(SPAN).await;
        site.until_no_refresh_is_near(&["a", "b"]).await;
        site.relay.restart().await;
        crowd.relay_moved_to(site.relay.base_url());
    }
    tokio::time::sleep(SPAN).await;
    let told = crowd.leaves().await;
    let elapsed = begun.elapsed();
    let refreshes = site.refreshes();
    println!("{elapsed:?}: {told:?}; refreshes: {refreshes:?}");

    assert_eq!(told.errors, Vec::<String>::new());
    assert!(told.answered > 1_000, "the load was light: {told:?}");
    assert!(told.cut > 0, "no crash was noticed: {told:?}");
    site.assert_all_is_well().await;
    // A token lives for two seconds, and is replaced after three quarters of that at the earliest.
    let lives =
        |quarters: u128| usize::try_from(elapsed.as_millis() / (quarters * 500)).expect("few");
    for owner in ["a", "b"] {
        let count = refreshes[owner];
        assert!((lives(6)..=lives(3) + 3).contains(&count), "{count} refreshes of {owner}");
        let asked = site.provider.requests();
        let asked = asked.iter().filter(|seen| seen.is_message() && seen.owner == owner).count();
        assert!(asked > 100, "{owner} was asked {asked} times");
    }
}

#[tokio::test]
async fn a_crash_between_the_answer_and_the_disk_ends_in_sign_in_again() {
    let mut site = SignedIn::with(&[("a", 1, SHORT), ("b", 2, LONG)]).await;
    site.provider.until_outcomes(RefreshOutcome::Granted, 1).await;
    let gate = site.provider.holds_answers();
    gate.until_held(1).await;
    site.relay.kill_9().await;
    site.provider.until_outcomes(RefreshOutcome::Lost, 1).await;
    gate.release();
    let before = site.provider.refreshes().len();

    site.relay.restart().await;
    until("people are told", PATIENCE, async || site.books.number(SIGN_OUTS_TOLD).await == 1).await;
    assert_eq!(site.books.number(SIGNED_OUT).await, 1);
    for round in 0..3 {
        for call in 0..20 {
            assert_eq!(site.ask(&format!("{round} {call}")).await, (200, "b".to_owned()));
        }
        if round == 1 {
            site.relay.restart().await;
        }
        // Long enough for those who look after tokens to look several times.
        tokio::time::sleep(SHORT).await;
    }
    let after = site.provider.refreshes();
    assert_eq!(after.len(), before + 1, "the old token is tried once: {after:#?}");
    assert_eq!(after[before].outcome, RefreshOutcome::Refused);
    assert_eq!(after[before].refresh_token, after[before - 1].refresh_token);
    assert_eq!(site.books.number(SIGN_OUTS_TOLD).await, 1);
    assert!(is_empty(&site.home.path().join("data/credentials")));
    let shown = site.relay.crs(&["account", "show", "a", "--json"], "").await;
    assert!(shown.status.success() && shown.stdout.contains("signed_out"), "{shown:?}");
}

#[tokio::test]
async fn a_relay_that_is_stopped_waits_for_its_refresh() {
    let mut site = SignedIn::with(&[("a", 1, SHORT)]).await;
    site.provider.until_outcomes(RefreshOutcome::Granted, 1).await;
    let gate = site.provider.holds_answers();
    gate.until_held(1).await;
    site.relay.terminate();
    site.relay.until_says("stopping").await;
    until("no connection is taken", PATIENCE, async || site.client().connect().await.is_err())
        .await;
    gate.release();
    let status = site.relay.wait().await;
    assert_eq!(status.code(), Some(0), "{}", site.relay.stderr_text());
    site.relay.restart().await;
    assert_eq!(site.ask("after it").await, (200, "a".to_owned()));
    site.until_more_refreshes(1).await;
    site.until_all_is_stored(&["a"]).await;
    site.assert_all_is_well().await;
}
