//! The sample accounts and keys, made at the first start in a directory; at a later one they are
//! found there, and their keys get new secrets, as the old ones exist nowhere any more.

use std::time::Duration;

use anyhow::Context;
use relay_core::account::{AccountKind, OauthSettings, Sharing};
use relay_core::clock::Timestamp;
use relay_core::credential::{Credential, Tokens};
use relay_core::id::{AccountId, KeyId};
use relay_core::protocol::Service;
use relay_core::secret::Secret;
use relay_store::Store;
use relay_store::accounts::{AccountChange, NewAccount};
use relay_store::keys::NewSecret;
use relay_store::vault::{KeyHasher, generate_key};

use super::history;
use super::people::{self, PEOPLE, Person};
use super::provider::{self, SIMULATED, TOKEN_PATH};
use crate::serve::Opened;
use crate::verbs::account::{self, Selection};
use crate::verbs::key::{self, BindingSpec, KeyAddition, TargetName};

/// The setting that says how many calls the sample history has; there is none before all sample
/// data is in the database.
const CALLS: &str = "demo_calls";

/// How long ago everything was set up.
const SINCE: Duration = Duration::from_hours(30 * 24);
/// How long the first access token of the subscription lives, so that its refresh can be watched.
const FIRST_TOKEN_LIFE: Duration = Duration::from_secs(80);

/// What was made.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// Who calls, with which key and which secret; the two that are shown come first.
    pub(super) holders: Vec<Holder>,
    /// How many calls the history has.
    pub(super) calls: u64,
}

/// Somebody with a key.
#[derive(Debug, Clone)]
pub(super) struct Holder {
    /// Who.
    pub(super) person: &'static Person,
    /// Which key.
    pub(super) key: KeyId,
    /// What it is presented as.
    pub(super) secret: Secret,
}

/// The sample accounts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accounts {
    pub(super) subscription: AccountId,
    pub(super) backup: AccountId,
    pub(super) spare: AccountId,
    pub(super) limited: AccountId,
    pub(super) paused: AccountId,
}

impl Sample {
    /// The keys that are shown: the one for everything, and the one whose calls fail over.
    pub(super) fn keys(&self) -> [Secret; 2] {
        let secret = |name: &str| {
            let holder = self.holders.iter().find(|holder| holder.person.key == name);
            holder.map_or_else(|| Secret::new(""), |holder| holder.secret.clone())
        };
        [secret(people::MAIN), secret(people::FAILING_OVER)]
    }
}

/// Makes the sample data, or finds it and leads its accounts to where the provider is now.
pub(super) async fn fill(
    opened: &Opened,
    before: Option<&str>,
    provider: &str,
) -> anyhow::Result<Sample> {
    let (store, now) = (&opened.store, opened.clock.now());
    refuse_other_accounts(store, [before.unwrap_or(provider), provider]).await?;
    if let Some(calls) = store.setting(CALLS).await? {
        lead(store, before.unwrap_or_default(), (provider, now)).await?;
        let holders = renewed(store, &opened.settings.api_key_prefix, now).await?;
        return Ok(Sample { holders, calls: calls.parse().unwrap_or(0) });
    }
    let accounts = accounts(store, provider, now).await.context("sample accounts")?;
    let holders = holders(store, &opened.settings.api_key_prefix, now).await?;
    let zone = &opened.settings.time_zone;
    let calls = history::write(store, (accounts, &holders), zone, now).await?;
    key::disable(store, people::DISABLED, now).await?;
    store.set_setting(CALLS, &calls.to_string(), now).await?;
    Ok(Sample { holders, calls })
}

/// Adds the accounts. The one that is limited serves only the key that shows it, so that all others
/// stay undisturbed.
async fn accounts(store: &Store, provider: &str, now: Timestamp) -> anyhow::Result<Accounts> {
    let since = now.minus(SINCE);
    let api = |name: &str, credential: &str, priority: i32, note: &str| {
        let secret = Secret::new(credential);
        let mut new = NewAccount::new(name, AccountKind::ClaudeApi, provider, secret);
        new.priority = priority;
        note.clone_into(&mut new.note);
        new
    };
    let tokens = Tokens {
        access: Secret::new(format!("{SIMULATED}access-first")),
        refresh: Some(Secret::new(format!("{}first", provider::REFRESH))),
        expires_at: Some(now.plus(FIRST_TOKEN_LIFE)),
        obtained_at: now,
        client_secret: None,
    };
    let (kind, tokens) = (AccountKind::ClaudeOauth, Credential::Tokens(tokens));
    let mut subscription = NewAccount::signed_in(people::SUBSCRIPTION, kind, provider, tokens);
    subscription.priority = 10;
    subscription.oauth = oauth(provider);
    subscription.concurrency_max = Some(8);
    let backup = api(people::BACKUP, "simulated-backup", 50, "pay as you go");
    let mut spare = api(people::SPARE, "simulated-spare", 60, "按量付费");
    spare.weight = 2;
    let mut limited = api(people::LIMITED, provider::LIMITED, 1, "answers 429 · 总是返回 429");
    limited.sharing = Sharing::Reserved;
    let paused = api(people::PAUSED, "simulated-paused", 90, "contract ended · 合同已到期");

    let groups = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let everybody = groups(&[people::EVERYBODY]);
    let team = groups(&[people::EVERYBODY, people::TEAM]);
    let all = groups(&[people::EVERYBODY, people::TEAM, people::FAILOVER]);
    let failover = groups(&[people::FAILOVER]);
    let added = Accounts {
        subscription: account::add(store, subscription, &team, since).await?,
        backup: account::add(store, backup, &all, since).await?,
        spare: account::add(store, spare, &everybody, since).await?,
        limited: account::add(store, limited, &failover, since).await?,
        paused: account::add(store, paused, &everybody, since).await?,
    };
    let paused = Selection::Named(vec![people::PAUSED.to_owned()]);
    account::pause(store, &paused, now).await?;
    Ok(added)
}

fn oauth(provider: &str) -> OauthSettings {
    OauthSettings { token_url: Some(format!("{provider}{TOKEN_PATH}")), ..OauthSettings::default() }
}

/// Gives everybody a key.
async fn holders(store: &Store, prefix: &str, now: Timestamp) -> anyhow::Result<Vec<Holder>> {
    let mut holders = Vec::with_capacity(PEOPLE.len());
    for person in &PEOPLE {
        let target = TargetName::Group(person.group.to_owned());
        let addition = KeyAddition {
            name: person.key.to_owned(),
            note: person.note.to_owned(),
            owner: person.owner.to_owned(),
            bindings: vec![BindingSpec { service: Service::Claude, target }],
            tags: person.tags.iter().map(ToString::to_string).collect(),
            ..KeyAddition::default()
        };
        let issued = key::add(store, &addition, prefix, now.minus(SINCE)).await?;
        let issued = issued.into_iter().next().context("a key was asked for")?;
        holders.push(Holder { person, key: issued.view.id, secret: issued.secret });
    }
    Ok(holders)
}

/// Refuses data with an account that leads elsewhere than to a simulated provider: somebody added
/// it, and sample calls must not be charged to it.
async fn refuse_other_accounts(store: &Store, providers: [&str; 2]) -> anyhow::Result<()> {
    for stored in store.accounts().await? {
        let account = &stored.account;
        anyhow::ensure!(
            providers.contains(&account.base_url.as_str()),
            "the account {} is not one of the demo: it leads to {}",
            account.name,
            account.base_url
        );
    }
    Ok(())
}

/// Leads the accounts of the provider of an earlier start to the present one.
async fn lead(
    store: &Store,
    before: &str,
    (provider, now): (&str, Timestamp),
) -> anyhow::Result<()> {
    for stored in store.accounts().await? {
        if before == provider || stored.account.base_url != before {
            continue;
        }
        let is_oauth = stored.account.kind.is_oauth();
        let change = AccountChange {
            base_url: Some(provider.to_owned()),
            oauth: is_oauth.then(|| oauth(provider)),
            ..AccountChange::default()
        };
        store.change_account(stored.account.id, &change, now).await?;
    }
    Ok(())
}

/// Gives the sample keys that are still there new secrets.
async fn renewed(store: &Store, prefix: &str, now: Timestamp) -> anyhow::Result<Vec<Holder>> {
    let peppers = store.peppers().await?;
    let hasher = KeyHasher::new(peppers.first().context("the database has no pepper")?);
    let mut holders = Vec::with_capacity(PEOPLE.len());
    for person in &PEOPLE {
        let Some(found) = store.find_key(person.key).await? else { continue };
        let secret = generate_key(prefix);
        let new = NewSecret {
            hash: hasher.hash(secret.expose()),
            pepper_id: hasher.pepper(),
            secret_tail: secret.last_four().to_owned(),
        };
        store.rotate_key(found.key.id, &new, None, now).await?;
        holders.push(Holder { person, key: found.key.id, secret });
    }
    let is_shown = |name: &str| holders.iter().any(|holder| holder.person.key == name);
    anyhow::ensure!(
        is_shown(people::MAIN) && is_shown(people::FAILING_OVER),
        "the keys {} and {} were removed",
        people::MAIN,
        people::FAILING_OVER
    );
    Ok(holders)
}
