//! Asks accounts, each by its own way out, many at a time and within bounds.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use relay_core::clock::Timestamp;
use relay_core::price::PriceList;
use relay_store::Store;
use relay_store::accounts::StoredAccount;
use relay_store::data_dir::DataDir;
use tokio::time::{Instant, timeout_at};

use crate::live;
use crate::prices;
use crate::verbs::account::{self, AccountState, AccountTest, AccountView, TestAsk, TestBy};
use crate::verbs::doctor::accounts::{Asked, Examined};
use crate::verbs::doctor::network::Server;

/// Accounts that are asked at one time.
const ASKED_MAX: usize = 24;
/// How long an account may take to tell its models.
const MODELS_WITHIN: Duration = Duration::from_secs(4);
/// How long it may take to say a few words.
const WORDS_WITHIN: Duration = Duration::from_secs(8);
/// How long all of them may take together.
const ALL_WITHIN: Duration = Duration::from_secs(15);

/// What accounts are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// Their models, which costs nothing.
    Models,
    /// A few words, which cost a few tokens.
    Words,
}

/// Who asks accounts.
pub(super) struct Asker<'a> {
    dir: &'a DataDir,
    how: TestAsk,
    by: By,
    now: Timestamp,
}

enum By {
    /// The running relay, which keeps the tokens.
    Relay,
    /// This command, with the tokens that the database has; it refreshes none.
    Here(Box<PriceList>),
    /// Nobody, as it cannot be told what a relay is doing.
    Nobody,
}

impl<'a> Asker<'a> {
    /// Whoever can ask at present.
    pub(super) async fn new(
        dir: &'a DataDir,
        store: &Store,
        server: &Server,
        what: For,
        now: Timestamp,
    ) -> Self {
        let by = match server {
            Server::Running { .. } => By::Relay,
            Server::Mute { .. } => By::Nobody,
            Server::None => match prices::load(store).await {
                Ok(prices) => By::Here(Box::new(prices)),
                Err(_) => By::Nobody,
            },
        };
        let (by_what, within) = match what {
            For::Models => (TestBy::Models, MODELS_WITHIN),
            For::Words => (TestBy::Answer, WORDS_WITHIN),
        };
        let within_millis = u64::try_from(within.as_millis()).ok();
        let how = TestAsk { by: by_what, within_millis, ..TestAsk::default() };
        Self { dir, how, by, now }
    }

    /// Asks every account that may serve.
    pub(super) async fn all(
        &self,
        views: Vec<AccountView>,
        stored: &[StoredAccount],
    ) -> Vec<Examined> {
        let deadline = Instant::now() + ALL_WITHIN;
        let examine = async |view: AccountView| {
            let may_serve = matches!(view.state, AccountState::Able | AccountState::Resting);
            let stored = stored.iter().find(|it| it.account.id == view.id);
            let asked = match stored.filter(|_| may_serve) {
                Some(stored) => {
                    timeout_at(deadline, self.one(stored)).await.unwrap_or(Asked::NoTime)
                }
                None => Asked::Not,
            };
            Examined { view, asked }
        };
        stream::iter(views).map(examine).buffered(ASKED_MAX).collect().await
    }

    async fn one(&self, stored: &StoredAccount) -> Asked {
        let test = match &self.by {
            By::Nobody => return Asked::Not,
            By::Here(prices) => account::probe_stored(stored, &self.how, prices, self.now).await,
            By::Relay => {
                let (dir, id, how) =
                    (self.dir.clone(), stored.account.id, Arc::new(self.how.clone()));
                let ask = move || live::ask_test(&dir, id, &how);
                match tokio::task::spawn_blocking(ask).await {
                    Ok(Ok(test)) => test,
                    Ok(Err(error)) => AccountTest::not_made(&stored.account, error.to_string()),
                    Err(error) => AccountTest::not_made(&stored.account, error.to_string()),
                }
            }
        };
        Asked::Test(Box::new(test))
    }
}
