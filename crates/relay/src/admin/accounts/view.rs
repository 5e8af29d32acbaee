//! An account as the page shows it.

use std::collections::HashMap;

use relay_core::id::AccountId;
use relay_core::key::BindingTarget;
use relay_store::accounts::StoredAccount;
use relay_store::rollups::AccountUse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::answer::Problem;
use crate::admin::guard::Who;
use crate::live::LiveState;
use crate::verbs::account::{self, AccountView, EventView, FaultView, Known, Reader, Selection};

/// Keys that are named of those that are bound to an account.
const BOUND_SHOWN_MAX: usize = 100;

/// What the calls of today came to.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
pub(in crate::admin) struct TodayView {
    /// How many there were.
    pub(super) calls: u64,
    /// Tokens of every kind.
    pub(super) tokens: u64,
    /// What they cost.
    pub(super) cost_usd: f64,
}

/// An account, with what it did today.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::admin) struct AccountItem {
    /// The account.
    #[serde(flatten)]
    pub(super) account: AccountView,
    /// Its calls of today.
    pub(super) today: TodayView,
}

/// All of an account.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AccountDetail {
    /// The account.
    #[serde(flatten)]
    item: AccountItem,
    /// The latest attempts on it that failed, newest first.
    faults: Vec<FaultView>,
    /// Its rests and what else happened to it, newest first.
    events: Vec<EventView>,
    /// Names of keys that are bound to it or to one of its groups: the first hundred.
    bound_keys: Vec<String>,
    /// How many there are.
    bound_keys_total: usize,
    /// Conversations that stay with it.
    pinned: usize,
}

/// Accounts as they stand now, in the words of who asks.
pub(in crate::admin) async fn views(
    who: &Who,
    selection: &Selection,
) -> Result<Vec<AccountView>, Problem> {
    let live = LiveState::of_accounts(&who.app);
    let zone = &who.app.settings.time_zone;
    let known = Known { live: Some(&live), now: who.now(), zone };
    let views = account::show_several(&who.app.store, selection, &known).await?;
    Ok(views.into_iter().map(|view| view.retold(who.language)).collect())
}

/// What accounts did today.
pub(super) async fn today(who: &Who) -> Result<HashMap<AccountId, AccountUse>, Problem> {
    let day = who.app.calendar.day(who.now());
    Ok(who.app.store.account_use_since(day.from).await?)
}

/// One account.
pub(in crate::admin) async fn item(who: &Who, id_or_name: &str) -> Result<AccountItem, Problem> {
    let mut views = views(who, &Selection::one(id_or_name)).await?;
    let today = today(who).await?;
    Ok(AccountItem::new(views.remove(0), &today))
}

impl AccountItem {
    /// An account with what it did today.
    pub(super) fn new(account: AccountView, today: &HashMap<AccountId, AccountUse>) -> Self {
        let used = today.get(&account.id).copied().unwrap_or_default();
        let AccountUse { calls, tokens, cost } = used;
        Self { account, today: TodayView { calls, tokens, cost_usd: cost.to_usd_f64() } }
    }
}

impl AccountDetail {
    /// All of an account.
    pub(super) async fn of(who: &Who, stored: &StoredAccount) -> Result<Self, Problem> {
        let (app, id) = (&who.app, stored.account.id);
        let zone = &app.settings.time_zone;
        let reader = Reader { zone, language: who.language, now: who.now() };
        let mut bound = bound_keys(who, stored);
        let bound_keys_total = bound.len();
        bound.truncate(BOUND_SHOWN_MAX);
        Ok(Self {
            item: item(who, &id.to_string()).await?,
            faults: account::faults(&app.store, stored, reader).await?,
            events: account::events(&app.store, stored, &host(who, stored), reader).await?,
            bound_keys: bound,
            bound_keys_total,
            pinned: app.pins.pinned_to(id, who.now()),
        })
    }
}

/// What the host of an account is called in events.
pub(super) fn host(who: &Who, stored: &StoredAccount) -> String {
    let member = who.app.roster.find(stored.account.id);
    member.map_or_else(String::new, |member| member.host.name.clone())
}

/// Names of the keys that are bound to an account or to one of its groups.
fn bound_keys(who: &Who, stored: &StoredAccount) -> Vec<String> {
    let account = &stored.account;
    let is_its = |target: &BindingTarget| match target {
        BindingTarget::Account(id) => *id == account.id,
        BindingTarget::Group(id) => account.groups.contains(id),
    };
    let holders = who.app.keys.holders();
    let bound = holders.iter().filter(|it| it.key.bindings.iter().any(|it| is_its(&it.target)));
    let mut names: Vec<String> = bound.map(|it| it.key.name.clone()).collect();
    names.sort();
    names
}
