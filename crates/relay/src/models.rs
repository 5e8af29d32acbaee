//! What accounts say they have, asked once an hour.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::join_all;
use http::{HeaderMap, Request};
use http_body_util::Full;
use parking_lot::Mutex;
use relay_core::account::{Account, AccountKind};
use relay_core::clock::Timestamp;
use relay_core::id::AccountId;
use relay_core::key::{Key, KeyRules};
use relay_core::model::ModelPattern;
use relay_core::protocol::Service;
use relay_core::schedule::is_in_pool;
use relay_upstream::target::target;
use relay_upstream::{auth, headers};
use relay_wire::models::{ModelEntry, parse_list};

use crate::app::App;
use crate::call::UpstreamBody;
use crate::roster::Member;
use crate::tokens;

/// How long an account's list is taken for true.
const LIST_AGE_MAX: Duration = Duration::from_hours(1);
/// How long an account may take to list its models; a slower one is left out.
const LIST_WITHIN: Duration = Duration::from_secs(3);
/// The largest list that is read.
const LIST_BYTES_MAX: usize = 4 << 20;

/// The accounts' lists.
#[derive(Debug, Default)]
pub struct Catalogue {
    lists: Mutex<HashMap<AccountId, Listed>>,
}

#[derive(Debug, Clone)]
struct Listed {
    at: Timestamp,
    models: Arc<Vec<ModelEntry>>,
}

impl Catalogue {
    /// Forgets what an account said; its settings changed.
    pub fn forget(&self, account: AccountId) {
        self.lists.lock().remove(&account);
    }

    fn fresh(&self, account: AccountId, now: Timestamp) -> Option<Arc<Vec<ModelEntry>>> {
        let lists = self.lists.lock();
        let listed = lists.get(&account)?;
        (now.since(listed.at) < LIST_AGE_MAX).then(|| Arc::clone(&listed.models))
    }

    fn keep(&self, account: AccountId, at: Timestamp, models: Arc<Vec<ModelEntry>>) {
        self.lists.lock().insert(account, Listed { at, models });
    }
}

/// The models that a key may ask for, sorted by name: what the accounts of its pool list, by their
/// own rules and the key's, and the names that either maps.
pub async fn of_key(app: &Arc<App>, service: Service, key: &Key) -> Vec<ModelEntry> {
    let of_pool = pool(app, service, key);
    let mut models = listed(app, &of_pool).await;
    let rules = &key.rules;
    models.retain(|name, _| match rules.resolve(name) {
        model if model == name => rules.allows_model(model),
        model => is_served(&of_pool, rules, model),
    });
    for alias in &rules.aliases {
        let name = alias.from.as_str();
        if !name.contains('*') && is_served(&of_pool, rules, rules.resolve(name)) {
            models.entry(name.to_owned()).or_insert_with(|| entry(name));
        }
    }
    models.into_values().collect()
}

/// One of the models that a key may ask for, under the name that is asked for.
pub async fn one_of_key(
    app: &Arc<App>,
    service: Service,
    key: &Key,
    wanted: &str,
) -> Option<ModelEntry> {
    let models = of_key(app, service, key).await;
    let listed = models.into_iter().find(|model| model.id == wanted);
    // An alias fits names that no list has: those of a pattern, or in other case.
    let model = key.rules.resolve(wanted);
    listed.or_else(|| {
        let by_alias = model != wanted && is_served(&pool(app, service, key), &key.rules, model);
        by_alias.then(|| entry(wanted))
    })
}

/// An account, and the models that it serves.
#[derive(Debug)]
pub struct OfAccount {
    /// The account.
    pub member: Arc<Member>,
    /// What it serves, as far as it says so or its own rules do. Of one that says nothing, what the
    /// price table knows of its service.
    pub models: Vec<ModelEntry>,
}

/// What accounts serve that are switched on.
pub async fn of_accounts(app: &Arc<App>) -> Vec<OfAccount> {
    let members = app.roster.snapshot();
    let members: Vec<_> = members.iter().filter(|it| it.account.enabled).cloned().collect();
    let lists = join_all(members.iter().map(|member| list(app, member))).await;
    let of_account = |(member, listed): (Arc<Member>, Option<Arc<Vec<ModelEntry>>>)| {
        let account = &member.account;
        let known: Vec<ModelEntry> = match listed {
            Some(listed) => listed.to_vec(),
            None => of_prices(app, account.kind.service()),
        };
        let served = known.into_iter().filter(|model| account.upstream_model(&model.id).is_some());
        let models = served.chain(named(account)).map(|model| (model.id.clone(), model));
        // A name that a rule spells out may be on the list, too.
        let models: BTreeMap<_, _> = models.collect();
        OfAccount { models: models.into_values().collect(), member }
    };
    members.into_iter().zip(lists).map(of_account).collect()
}

/// The models of a service that have a price.
fn of_prices(app: &App, service: Service) -> Vec<ModelEntry> {
    let prices = app.prices.load();
    prices.models(service).filter(|model| !model.contains('/')).map(entry).collect()
}

/// Whether a key may use what an alias of it stands for, and an account of its pool serves that.
fn is_served(of_pool: &[Arc<Member>], rules: &KeyRules, model: &str) -> bool {
    let serves = |member: &Arc<Member>| member.account.upstream_model(model).is_some();
    rules.allows_model(model) && of_pool.iter().any(serves)
}

fn pool(app: &App, service: Service, key: &Key) -> Vec<Arc<Member>> {
    let pool = key.pool(service);
    let is_of_pool = |member: &&Arc<Member>| {
        member.account.enabled && is_in_pool(&member.account, service, pool)
    };
    app.roster.snapshot().iter().filter(is_of_pool).cloned().collect()
}

/// What accounts list, by their own rules, and the names that they map. The price table stands in
/// only if no account answers.
async fn listed(app: &Arc<App>, of_pool: &[Arc<Member>]) -> BTreeMap<String, ModelEntry> {
    let lists = join_all(of_pool.iter().map(|member| list(app, member))).await;
    let mut models = BTreeMap::new();
    for (member, listed) in of_pool.iter().zip(&lists) {
        let listed = listed.iter().flat_map(|models| models.iter().cloned());
        let served = listed.filter(|model| member.account.upstream_model(&model.id).is_some());
        for model in served.chain(named(&member.account)) {
            models.entry(model.id.clone()).or_insert(model);
        }
    }
    if models.is_empty() && !of_pool.is_empty() {
        let prices = app.prices.load();
        let served =
            |model| of_pool.iter().any(|member| member.account.upstream_model(model).is_some());
        let service = of_pool.first().map(|member| member.account.kind.service());
        let is_its = |model: &str| !model.contains('/') && Service::of_model(model) == service;
        let known = prices.listings().filter(|it| is_its(it.model) && served(it.model));
        models.extend(known.map(|listing| (listing.model.to_owned(), entry(listing.model))));
    }
    models
}

/// The names that an account's own rules spell out.
fn named(account: &Account) -> impl Iterator<Item = ModelEntry> {
    let mapped = account.model_map.iter().map(|rule| &rule.from);
    let names = mapped.chain(&account.models).map(ModelPattern::as_str);
    names.filter(|name| !name.contains('*')).map(entry)
}

fn entry(id: &str) -> ModelEntry {
    ModelEntry {
        id: id.to_owned(),
        display_name: id.to_owned(),
        created: 0,
        owned_by: String::new(),
    }
}

/// What one account lists; `None` if it does not say so in time.
async fn list(app: &Arc<App>, member: &Arc<Member>) -> Option<Arc<Vec<ModelEntry>>> {
    let account = member.account.id;
    if let Some(known) = app.models.fresh(account, app.now()) {
        return Some(known);
    }
    let models = tokio::time::timeout(LIST_WITHIN, fetch(app, member)).await.ok().flatten()?;
    let models = Arc::new(models);
    app.models.keep(account, app.now(), Arc::clone(&models));
    Some(models)
}

async fn fetch(app: &Arc<App>, member: &Arc<Member>) -> Option<Vec<ModelEntry>> {
    let account = &member.account;
    let mut request = Request::new(Full::<Bytes>::default());
    let (path, query) = match account.kind {
        AccountKind::ClaudeApi | AccountKind::ClaudeOauth => ("/v1/models", Some("limit=1000")),
        AccountKind::OpenaiApi => ("/v1/models", None),
        AccountKind::GeminiApi => ("/v1beta/models", Some("pageSize=1000")),
        // Neither lists models for others than its own clients.
        AccountKind::OpenaiOauth | AccountKind::GeminiOauth => return None,
    };
    *request.uri_mut() = target(&account.base_url, path, query).ok()?;
    *request.headers_mut() =
        headers::request(account.kind.service(), &HeaderMap::new(), &account.extra_headers);
    let secret = tokens::secret(app, member).await.ok()?;
    auth::authenticate(request.headers_mut(), (account, member.identity.as_ref()), &secret).ok()?;
    let response = member.client.send(request).await.ok()?;
    if !response.status().is_success() {
        return None;
    }
    let (head, incoming) = response.into_parts();
    let mut body = UpstreamBody::new(&head.headers, incoming).ok()?;
    let mut list = BytesMut::new();
    while let Some(chunk) = body.chunk().await {
        list.extend_from_slice(&chunk.ok()?);
        if list.len() > LIST_BYTES_MAX {
            return None;
        }
    }
    parse_list(&list)
}
