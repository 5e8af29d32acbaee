//! What is seen first: whether it is well, what it costs, who uses it, what is to be done.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use relay_core::clock::Timestamp;
use relay_core::id::{CallId, KeyId};
use relay_store::sums::{By, Grain, Measure, Of, SumsOf};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::accounts::views;
use super::answer::{Problem, Read};
use super::given::Sought;
use super::guard::Who;
use super::span::{Asked, Span};
use super::usage::periods;
use crate::text::retold;
use crate::verbs::account::{AccountState, AccountView, Selection, fault_words};
use crate::verbs::call::Named;
use crate::verbs::moment;
use crate::verbs::usage::{self, Compared, Periods, TotalsView, Width};

/// Keys and models that are told as the greatest.
const TOP: u32 = 8;
/// Faults that are told.
const FAULTS: usize = 10;
/// How far back faults are looked for, and among how many calls.
const FAULTS_WITHIN: Duration = Duration::from_hours(24);
const FAULTS_AMONG: u32 = 100;

/// The addresses of the dashboard.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(dashboard))
}

/// How many accounts are in which state.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = DashboardAccounts)]
pub(super) struct AccountCounts {
    /// They serve.
    able: usize,
    /// They cool down by themselves.
    resting: usize,
    /// They need a person: signed out, or their subscription has ended.
    failing: usize,
    /// An operator switched them off.
    paused: usize,
}

/// One of the greatest.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DashboardTop)]
struct Top {
    /// An id, or a model.
    id: String,
    /// Its name.
    name: String,
    /// Calls.
    calls: u64,
    /// Tokens of every kind.
    tokens: u64,
    /// What they cost.
    cost_usd: f64,
    /// Its share of what all cost, in percent.
    share_percent: f64,
}

/// An attempt that failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DashboardFault)]
struct Fault {
    /// The call.
    #[schema(value_type = String)]
    call: CallId,
    /// When.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// On which account.
    account: Named,
    /// The model that was asked for.
    model: String,
    /// The upstream's status, if it came to one.
    status: Option<u16>,
    /// Why, for people.
    words: String,
    /// Whether the call was answered in the end.
    answered: bool,
}

/// What is seen first.
#[derive(Debug, Serialize, ToSchema)]
struct Dashboard {
    /// The first moment of the time that is told.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// The first moment after it.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// The zone in which days begin.
    zone: String,
    /// What the time came to.
    totals: TotalsView,
    /// What the time before came to, up to the same part of it.
    before: TotalsView,
    /// Accounts by state.
    accounts: AccountCounts,
    /// Accounts that do not serve, those that need a person first.
    needs: Vec<AccountView>,
    /// The dearest keys.
    top_keys: Vec<Top>,
    /// The dearest models.
    top_models: Vec<Top>,
    /// The latest attempts of the last day that failed, newest first.
    recent_faults: Vec<Fault>,
    /// Calls that were refused within the time, by reason.
    refused: BTreeMap<String, u64>,
    /// How many keys there are.
    keys: usize,
    /// Whether any call has ever come.
    has_calls: bool,
    /// The program's version.
    version: &'static str,
    /// How long it has been running.
    uptime_seconds: u64,
}

/// What is seen first, of the last 24 hours unless asked otherwise.
#[utoipa::path(get, path = "/admin/dashboard", tag = "dashboard", operation_id = "dashboard",
    params(Span), responses((status = 200, body = Dashboard), (status = 400, body = Problem)))]
async fn dashboard(who: Who, Sought(span): Sought<Span>) -> Read<Dashboard> {
    let (app, now) = (&who.app, who.now());
    let periods = periods(&who, &span, Asked::Hours(24))?;
    let zone = &app.settings.time_zone;
    // Nothing is there of the time that is still to come: whole days are read sooner than parts.
    let compared = async {
        let spans = (periods.whole, periods.before);
        usage::compared(&app.store, spans, zone).await.map_err(Problem::from)
    };
    let (Compared { totals, before }, top_keys, top_models) =
        tokio::try_join!(compared, top(&who, &periods, By::Key), top(&who, &periods, By::Model))?;
    let (accounts, needs) = accounts(&who).await?;
    let refused = refused(&who, periods.past.from).await?;
    Ok(Json(Dashboard {
        from: periods.whole.from,
        to: periods.whole.to,
        zone: zone.iana_name().unwrap_or("UTC").to_owned(),
        accounts,
        needs,
        top_keys: shares(top_keys, totals.cost_usd),
        top_models: shares(top_models, totals.cost_usd),
        recent_faults: faults(&who).await?,
        refused,
        keys: app.keys.len(),
        has_calls: app.store.first_day().await?.is_some(),
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: now.since(app.metrics.started()).as_secs(),
        totals,
        before,
    }))
}

/// Accounts by state, and those that do not serve.
async fn accounts(who: &Who) -> Result<(AccountCounts, Vec<AccountView>), Problem> {
    let mut counts = AccountCounts::default();
    let mut needs = Vec::new();
    for view in views(who, &Selection::All).await? {
        let count = match view.state {
            AccountState::Able => &mut counts.able,
            AccountState::Resting => &mut counts.resting,
            AccountState::Ended | AccountState::SignedOut => &mut counts.failing,
            AccountState::Paused => &mut counts.paused,
        };
        *count += 1;
        if !matches!(view.state, AccountState::Able | AccountState::Paused) {
            needs.push(view);
        }
    }
    needs.sort_by_key(|view| (view.state == AccountState::Resting, view.name.to_lowercase()));
    Ok((counts, needs))
}

/// Calls that were refused since a moment, by reason.
async fn refused(who: &Who, since: Timestamp) -> Result<BTreeMap<String, u64>, Problem> {
    let mut refused = BTreeMap::new();
    for count in who.app.store.refusals_since(since).await? {
        *refused.entry(count.reason).or_default() += count.calls;
    }
    Ok(refused)
}

/// The dearest keys or models.
async fn top(who: &Who, periods: &Periods, by: By) -> Result<Vec<Top>, Problem> {
    let store = &who.app.store;
    let grain = match periods.width {
        Width::Hour => Grain::Quarter,
        Width::Day => Grain::Day,
    };
    let sums = store.sums(&SumsOf::of(periods.whole, grain, by), Measure::Cost, Some(TOP)).await?;
    let keys = sums.iter().filter_map(|sum| match sum.of {
        Of::Key(id) => Some(id),
        _ => None,
    });
    let names = store.names(keys.collect::<Vec<KeyId>>(), []).await?;
    let top = sums.iter().map(|sum| {
        let cost_usd = sum.totals.cost.to_usd_f64();
        Top {
            id: match &sum.of {
                Of::Key(id) => id.to_string(),
                Of::Model(model) => model.clone(),
                Of::Account(id) => id.to_string(),
                Of::All => String::new(),
            },
            name: names.of(&sum.of),
            calls: sum.totals.calls,
            tokens: sum.totals.tokens(),
            cost_usd,
            share_percent: 0.0,
        }
    });
    Ok(top.collect())
}

/// With the share that each has of what all cost.
fn shares(mut top: Vec<Top>, all: f64) -> Vec<Top> {
    for one in &mut top {
        one.share_percent = if all > 0.0 { one.cost_usd * 100.0 / all } else { 0.0 };
    }
    top
}

/// The latest attempts that failed, newest first.
async fn faults(who: &Who) -> Result<Vec<Fault>, Problem> {
    let store = &who.app.store;
    let since = who.now().minus(FAULTS_WITHIN);
    let calls = store.calls_not_answered_at_once(since, FAULTS_AMONG).await?;
    let asked = calls.iter().flat_map(|call| &call.attempts).map(|attempt| attempt.account);
    let names = store.names([], asked).await?;
    let mut faults = Vec::new();
    for call in &calls {
        for attempt in call.attempts.iter().rev() {
            let Some(fault) = attempt.fault.as_deref() else { continue };
            faults.push(Fault {
                call: call.call,
                at: attempt.at,
                account: Named {
                    id: attempt.account.to_string(),
                    name: names.of(&Of::Account(attempt.account)),
                },
                model: call.model_asked.clone(),
                status: attempt.status,
                words: retold(&fault_words(fault), who.language),
                answered: call.outcome == relay_core::usage::Outcome::Completed,
            });
        }
    }
    faults.truncate(FAULTS);
    Ok(faults)
}
