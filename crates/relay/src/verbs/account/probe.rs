//! Testing an account: a tiny call by its own way out, and what came of it in words.

mod ask;
mod judge;
mod model;
mod other;
mod result;
mod telling;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Uri;
use relay_core::account::{Account, AccountKind};
use relay_core::clock::Timestamp;
use relay_core::credential::{Credential, Identity};
use relay_core::price::PriceList;
use relay_core::proxy::Proxy;
use relay_core::secret::Secret;
use relay_store::Store;
use relay_store::accounts::StoredAccount;
use relay_upstream::client::{Client, tls_config};
use relay_upstream::oauth::{self, Holder};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;

use self::ask::Heard;
pub use self::result::{AccountTest, TestUsage, Verdict};
use crate::app::App;
use crate::roster::Member;
use crate::tokens;
use crate::verbs::VerbError;
use crate::verbs::account::{Selection, select};

/// How long an account may take to answer a test, unless the test says otherwise.
pub const TEST_DEADLINE: Duration = Duration::from_secs(20);
/// The longest that a test may wait for an answer.
const TEST_DEADLINE_MAX: Duration = Duration::from_mins(5);
/// Why a test of an account that an operator paused does without a token.
const PAUSED: &str =
    "its token has ended, and that of a paused account is not refreshed: resume it first";
/// How long looking up where an account is reached may take.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(2);

/// How an account is tested.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TestAsk {
    /// The model that is asked; `None` is a small one that the account serves.
    pub model: Option<String>,
    /// What is asked.
    pub by: TestBy,
    /// How long the answer may take, in milliseconds, if not [`TEST_DEADLINE`].
    pub within_millis: Option<u64>,
    /// What is said to the model, if not the usual few words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
}

/// What an account is asked in a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestBy {
    /// A few words, which cost a few tokens.
    #[default]
    Answer,
    /// Its list of models, which costs nothing.
    Models,
}

/// The way to an account.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    /// Where it is.
    pub account: &'a Account,
    /// Whose sign-in it is, as far as that is known.
    pub identity: Option<&'a Identity>,
    /// By which connections.
    pub client: &'a Client,
    /// The present.
    pub now: Timestamp,
    /// Who is told the answer piece by piece; it is asked for as a stream then.
    pub pieces: Option<&'a UnboundedSender<String>>,
}

/// Who gives the secret that requests are sent with.
#[derive(Debug, Clone, Copy)]
pub enum Signer<'a> {
    /// A running relay, which refreshes what has ended.
    Relay(&'a Arc<App>, &'a Arc<Member>),
    /// Nobody: it is what the database has.
    Stored(&'a Credential),
}

impl TestAsk {
    /// How long the answer may take.
    pub fn within(&self) -> Duration {
        self.within_millis.map_or(TEST_DEADLINE, Duration::from_millis).min(TEST_DEADLINE_MAX)
    }
}

impl Signer<'_> {
    /// The secret, in place of one that was refused, if one was.
    async fn secret(self, now: Timestamp, refused: Option<&Secret>) -> Result<Secret, String> {
        match self {
            Self::Relay(_, member) if !member.account.enabled => {
                // Whoever paused it may have let another relay go on with its refresh token.
                let current = member.shared.keeper.current(now);
                let is_signed_out = member.shared.keeper.is_signed_out(now);
                let why = if is_signed_out { told("signed_out") } else { PAUSED };
                current.filter(|secret| Some(secret) != refused).ok_or_else(|| why.to_owned())
            }
            Self::Relay(app, member) => {
                let secret = match refused {
                    None => tokens::secret(app, member).await,
                    refused => tokens::refreshed(app, member, refused).await,
                };
                secret.map_err(|fault| told(fault.word).to_owned())
            }
            Self::Stored(_) if refused.is_some() => {
                Err("only a running relay can refresh the token".to_owned())
            }
            Self::Stored(credential) => stored_secret(credential, now),
        }
    }
}

/// The accounts that are to be tested.
pub async fn to_test(
    store: &Store,
    selection: &Selection,
) -> Result<Vec<StoredAccount>, VerbError> {
    select(store, selection).await
}

/// Tests an account as it is stored, where no relay runs.
pub async fn probe_stored(
    stored: &StoredAccount,
    how: &TestAsk,
    prices: &PriceList,
    now: Timestamp,
) -> AccountTest {
    let client = Client::new(&tls_config(), stored.account.proxy.as_ref());
    let (account, identity) = (&stored.account, stored.identity.as_ref());
    let way = Way { account, identity, client: &client, now, pieces: None };
    probe(way, how, prices, Signer::Stored(&stored.credential)).await
}

/// Tests an account by its own way out. Its operator's switch and its rests do not count.
pub async fn probe(
    way: Way<'_>,
    how: &TestAsk,
    prices: &PriceList,
    signer: Signer<'_>,
) -> AccountTest {
    let mut test = AccountTest::begin(way.account);
    let mut question = match ask::Question::of(way.account, how, prices) {
        Ok(question) => question,
        Err(why) => return AccountTest { fault: Some(why), ..test },
    };
    test.model.clone_from(&question.model);
    let no_token = |test, why| AccountTest { verdict: Verdict::NoToken, fault: Some(why), ..test };
    let mut secret = match signer.secret(way.now, None).await {
        Ok(secret) => secret,
        Err(_) if !way.account.kind.is_oauth() => {
            let why = "the account has no secret: give it one with `crs account set`";
            return no_token(test, why.to_owned());
        }
        Err(why) => return no_token(test, why),
    };
    let (mut heard, plan, address) = tokio::join!(
        hear(way, &question, &secret, how),
        plan(way, &secret, how),
        exit_address(way.account),
    );
    (test.plan, test.exit_address) = (plan, address);
    if heard.1.as_ref().is_ok_and(|heard| heard.status == 401) && way.account.kind.is_oauth() {
        // A token may be refused before its time; the next one tells whether it was only that.
        if let Ok(fresh) = signer.secret(way.now, Some(&secret)).await {
            secret = fresh;
            heard = hear(way, &question, &secret, how).await;
            test.plan = plan_again(test.plan, way, &secret, how).await;
        }
    }
    if heard.1.as_ref().is_ok_and(|heard| matches!(heard.status, 404 | 405))
        && let Some(other) = question.instead(way.account, how, prices)
    {
        test.model.clone_from(&other.model);
        question = other;
        heard = hear(way, &question, &secret, how).await;
    }
    test.millis = heard.0;
    let test = match heard.1 {
        Ok(heard) => judge::judge(test, way, &heard, &question, &secret).with_cost(
            (&heard, question.endpoint()),
            prices,
            way,
        ),
        Err(why) => AccountTest { verdict: Verdict::Unreachable, fault: Some(why), ..test },
    };
    other::completed(test, way, &secret, how).await
}

/// Asks, and tells how long the head of the answer took.
async fn hear(
    way: Way<'_>,
    question: &ask::Question,
    secret: &Secret,
    how: &TestAsk,
) -> (u64, Result<Heard, String>) {
    let begun = Instant::now();
    let within = how.within();
    let heard = match timeout(within, ask::send(way, question, secret, begun)).await {
        Ok(heard) => heard,
        Err(_) => Err(format!("no answer within {within:?}")),
    };
    let elapsed = heard.as_ref().map_or_else(|_| begun.elapsed(), |heard| heard.head_after);
    (u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX), heard)
}

/// Whose the sign-in is. A setup token may not ask that, and a failure says nothing of the account.
async fn plan(way: Way<'_>, secret: &Secret, how: &TestAsk) -> Option<Identity> {
    if !way.account.kind.is_oauth() {
        return None;
    }
    let holder = Holder::new(way.account, way.identity, secret);
    let asked = oauth::identity(way.client, &holder, way.now);
    let told = timeout(how.within(), asked).await.ok()?.ok()?;
    Some(match way.identity {
        // Of the others each source tells a part.
        Some(known) if way.account.kind != AccountKind::ClaudeOauth => {
            oauth::completed(told, known)
        }
        _ => told,
    })
}

async fn plan_again(
    known: Option<Identity>,
    way: Way<'_>,
    secret: &Secret,
    how: &TestAsk,
) -> Option<Identity> {
    match known {
        None => plan(way, secret, how).await,
        known => known,
    }
}

/// Where the way out leads first: the proxy, or the host itself.
async fn exit_address(account: &Account) -> Option<SocketAddr> {
    first_hop(account.proxy.as_ref(), &account.base_url).await
}

/// Where a way out leads first, if its name can be looked up in time.
pub(super) async fn first_hop(proxy: Option<&Proxy>, base_url: &str) -> Option<SocketAddr> {
    let place = if let Some(proxy) = proxy {
        proxy.address()
    } else {
        let uri: Uri = base_url.parse().ok()?;
        let port = if uri.scheme_str() == Some("http") { 80 } else { 443 };
        format!("{}:{}", uri.host()?, uri.port_u16().unwrap_or(port))
    };
    let found = timeout(LOOK_UP_WITHIN, tokio::net::lookup_host(place)).await.ok()?.ok()?;
    found.into_iter().next()
}

fn stored_secret(credential: &Credential, now: Timestamp) -> Result<Secret, String> {
    match credential {
        Credential::ApiKey(key) => Ok(key.clone()),
        Credential::Tokens(tokens) if tokens.expires_at.is_none_or(|at| at > now) => {
            Ok(tokens.access.clone())
        }
        Credential::Tokens(tokens) if tokens.refresh.is_some() => {
            Err("its token has ended; start the relay, which refreshes it".to_owned())
        }
        Credential::Tokens(_) => Err("its token has ended: sign in again".to_owned()),
        Credential::Missing => Err(told("signed_out").to_owned()),
    }
}

/// Why there is no token, in words.
fn told(word: &str) -> &str {
    match word {
        "signed_out" => "the account is signed out: sign in again",
        "token_not_refreshed" => "its token has ended, and refreshing it did not come through",
        "no_oauth_client" => {
            "its token has ended, and GEMINI_OAUTH_CLIENT_ID and GEMINI_OAUTH_CLIENT_SECRET are not \
             set, without which Google refreshes none"
        }
        "token_refresh_slow" => "its token has ended, and refreshing it takes too long",
        other => other,
    }
}
