//! What everybody may ask: how the page is called, and how the key stands that they hold.
//!
//! The key is a header's and never the address's. Asking costs no call and opens no window, and an
//! address that presents unknown keys is throttled as it is for calls.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::Method;
use http::request::Parts;
use relay_core::clock::Timestamp;
use relay_core::id::KeyId;
use relay_core::key::KeyRules;
use relay_core::period::{Period, WeekReset};
use relay_store::rollups::Totals;
use relay_store::sums::{By, Grain, Of, SumsOf};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Code, Problem};
use super::guard::{self, secured};
use super::keys::KeyState;
use crate::app::App;
use crate::credential::candidates;
use crate::failure::CallerFault;
use crate::keyring::Holder;
use crate::live::LiveState;
use crate::verbs::key::{self, AsOf, LimitsView, StandingView, Used};
use crate::verbs::usage::Periods;
use crate::verbs::{moment, setting};

const HOLDER: &str = "/web/api/holder";
const SITE: &str = "/web/api/site";
/// What stands in front of all of them.
const ROOT: &str = "/web/api";
/// How many days are told, today included.
const DAYS: u32 = 28;
/// How many hours are told, the present one included.
const HOURS: u32 = 24;
const HOUR: Duration = Duration::from_hours(1);

/// How the page is called: the answer of GET /web/api/site.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Site)]
pub(super) struct SiteView {
    /// What the page is called, if it was given a name.
    title: String,
    /// A picture of its own.
    logo: String,
    /// What everybody is to be told.
    notice: String,
    /// The zone of the relay's days.
    zone: String,
}

/// How a key stands, for who holds it: the answer of GET /web/api/holder.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Holder)]
pub(super) struct HolderView {
    /// The key's name.
    name: String,
    /// How it is.
    state: KeyState,
    /// From when it is refused.
    #[serde(serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Whose it is; empty if nobody said.
    owner: String,
    /// What limits it.
    limits: LimitsView,
    /// How each of its limits stands.
    standings: Vec<StandingView>,
    /// What it has used in all.
    used: Used,
    /// What it may ask.
    rules: HolderRules,
    /// Its calls of today.
    today: Sum,
    /// The zone of the relay's days.
    zone: String,
    /// Its last 28 days, the oldest first; the last is today.
    days: Vec<HolderDay>,
    /// Its last 24 hours, the oldest first; the last is the present one.
    hours: Vec<HolderHour>,
    /// The models of these days, the dearest first.
    models: Vec<HolderModel>,
    /// Calls refused within the last day, by reason.
    refused_24h: BTreeMap<String, u64>,
    /// What the page is called, if it was given a name.
    title: String,
    /// What everybody is to be told.
    notice: String,
}

/// What a key may ask, as far as it matters to who holds it. An empty list allows everything.
#[derive(Debug, Serialize, ToSchema)]
struct HolderRules {
    /// Models that may be asked for; * stands for anything.
    allowed_models: Vec<String>,
    /// Models that may not.
    denied_models: Vec<String>,
    /// Services that may be used.
    services: Vec<&'static str>,
    /// Ids of the clients that may call.
    clients: Vec<String>,
    /// The most output tokens: a call that asks for more gets this many.
    max_output_tokens: Option<u64>,
}

/// What calls came to.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
#[schema(as = HolderSum)]
struct Sum {
    /// How many there were.
    calls: u64,
    /// Tokens of every kind.
    tokens: u64,
    /// What they cost.
    cost_usd: f64,
}

/// What calls came to, with the kinds of their tokens.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
#[schema(as = HolderKinds)]
struct Kinds {
    /// The sums.
    #[serde(flatten)]
    sum: Sum,
    /// Input that no cache served or kept.
    input: u64,
    /// Output.
    output: u64,
    /// Input read from the cache.
    cache_read: u64,
    /// Input written to the cache.
    cache_write: u64,
}

/// A day of a key.
#[derive(Debug, Serialize, ToSchema)]
struct HolderDay {
    /// Which, as `2026-11-23`.
    day: String,
    /// What its calls came to.
    #[serde(flatten)]
    kinds: Kinds,
}

/// An hour of a key.
#[derive(Debug, Serialize, ToSchema)]
struct HolderHour {
    /// When it begins.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// What its calls came to.
    #[serde(flatten)]
    kinds: Kinds,
}

/// A model that a key used.
#[derive(Debug, Serialize, ToSchema)]
struct HolderModel {
    /// Its name.
    model: String,
    /// What its calls came to.
    #[serde(flatten)]
    sum: Sum,
}

/// Whether an address is one of these.
pub(crate) fn is_its(path: &str) -> bool {
    path.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers such a request.
pub(crate) async fn answer(app: &Arc<App>, head: &Parts, peer: IpAddr) -> Response<Body> {
    let reads = matches!(head.method, Method::GET | Method::HEAD);
    let answer = match head.uri.path() {
        SITE if reads => site(app).await.map(|view| Json(view).into_response()),
        HOLDER if reads => holder(app, head, peer).await.map(|view| Json(view).into_response()),
        _ => Err(Problem::no_such_address()),
    };
    let response = answer.unwrap_or_else(IntoResponse::into_response);
    secured(guard::in_language_of(response, &head.headers))
}

async fn site(app: &App) -> Result<SiteView, Problem> {
    let setting::Site { title, logo, notice } = setting::site(&app.store).await?;
    Ok(SiteView { title, logo, notice, zone: moment::zone_name(&app.settings.time_zone) })
}

async fn holder(app: &Arc<App>, head: &Parts, peer: IpAddr) -> Result<HolderView, Problem> {
    let holder = identify(app, head, peer)?;
    let (id, now) = (holder.key.id, app.now());
    let stored = app.store.key(id).await?.ok_or_else(|| unknown(&CallerFault::UnknownKey))?;
    let live = LiveState::of_keys(app, &[id]);
    let as_of = AsOf { live: Some(&live), calendar: &app.calendar, now };
    let view = key::views(&app.store, std::slice::from_ref(&stored), &as_of).await?.pop();
    let view = view.ok_or_else(|| unknown(&CallerFault::UnknownKey))?;
    let counted = holder.allowance.standings(&holder.key.limits, now, &app.calendar);
    let site = setting::site(&app.store).await?;
    let (days, models) = days(app, id, now).await?;
    Ok(HolderView {
        state: KeyState::of(&holder, &counted, now),
        name: view.name,
        expires_at: view.expires_at,
        owner: view.owner,
        limits: view.limits,
        standings: view.standings,
        used: view.used,
        rules: HolderRules::of(&view.rules),
        today: days.last().map(|day| day.kinds.sum).unwrap_or_default(),
        zone: moment::zone_name(&app.settings.time_zone),
        days,
        hours: hours(app, id, now).await?,
        models,
        refused_24h: key::refused(&app.store, id, now).await?,
        title: site.title,
        notice: site.notice,
    })
}

/// Whose key it is. Only one that may call speaks for its address.
fn identify(app: &App, head: &Parts, peer: IpAddr) -> Result<Arc<Holder>, Problem> {
    let now = app.now();
    let address = app.settings.trusted_proxies.client_address(peer, &head.headers);
    let presented = candidates(&head.headers, None);
    if presented.is_empty() {
        return Err(unknown(&CallerFault::NoKey));
    }
    let Some(holder) = presented.into_iter().find_map(|text| app.keys.find(text, now)) else {
        app.guesses.unknown(address, now).map_err(|fault| unknown(&fault))?;
        return Err(unknown(&CallerFault::UnknownKey));
    };
    if holder.admit(now).is_ok() {
        app.guesses.good(address, now);
    }
    Ok(holder)
}

fn unknown(fault: &CallerFault) -> Problem {
    match fault {
        CallerFault::Guessing { retry_after, .. } => {
            let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
            Problem::new(Code::Throttled, fault.to_string()).after_seconds(seconds.max(1))
        }
        _ => Problem::new(Code::Unauthorized, fault.to_string()),
    }
}

impl HolderRules {
    fn of(rules: &KeyRules) -> Self {
        let patterns = |list: &[relay_core::model::ModelPattern]| {
            list.iter().map(|pattern| pattern.as_str().to_owned()).collect()
        };
        Self {
            allowed_models: patterns(&rules.allowed_models),
            denied_models: patterns(&rules.denied_models),
            services: rules.services.iter().map(|service| service.as_str()).collect(),
            clients: rules.clients.clone(),
            max_output_tokens: rules.output_tokens_max,
        }
    }
}

impl Kinds {
    fn add(&mut self, totals: &Totals) {
        let usage = &totals.usage;
        self.sum.add(totals);
        self.input += usage.input;
        self.output += usage.output;
        self.cache_read += usage.cache_read;
        self.cache_write += usage.cache_write();
    }
}

impl Sum {
    fn add(&mut self, totals: &Totals) {
        self.calls += totals.calls;
        self.tokens += totals.usage.tokens();
        self.cost_usd += totals.cost.to_usd_f64();
    }
}

/// The last days of a key, and what it used of each model on them.
async fn days(
    app: &App,
    key: KeyId,
    now: Timestamp,
) -> Result<(Vec<HolderDay>, Vec<HolderModel>), Problem> {
    let zone = &app.settings.time_zone;
    let whole = Periods::days(DAYS, zone, now).whole;
    let asked = SumsOf { key: Some(key), ..SumsOf::of(whole, Grain::Quarter, By::Model) };
    let mut by_day: BTreeMap<Timestamp, Kinds> = BTreeMap::new();
    let mut from = whole.from;
    while from < whole.to {
        by_day.insert(from, Kinds::default());
        from = Period::Day.span(from, zone, WeekReset::MONDAY).to;
    }
    let mut by_model: BTreeMap<String, Sum> = BTreeMap::new();
    for sum in app.store.sums_over_time(&asked).await? {
        if let Some((_, kinds)) = by_day.range_mut(..=sum.at).next_back() {
            kinds.add(&sum.totals);
        }
        if let Of::Model(model) = sum.of {
            by_model.entry(model).or_default().add(&sum.totals);
        }
    }
    let day = |(from, kinds)| HolderDay { day: moment::day(from, zone), kinds };
    let model = |(model, sum)| HolderModel { model, sum };
    let mut models: Vec<_> = by_model.into_iter().map(model).collect();
    models.sort_by(|a, b| b.sum.cost_usd.total_cmp(&a.sum.cost_usd));
    Ok((by_day.into_iter().map(day).collect(), models))
}

/// The last hours of a key.
async fn hours(app: &App, key: KeyId, now: Timestamp) -> Result<Vec<HolderHour>, Problem> {
    let whole = Periods::hours(HOURS, &app.settings.time_zone, now).whole;
    let asked = SumsOf { key: Some(key), ..SumsOf::of(whole, Grain::Quarter, By::All) };
    let mut hours: Vec<_> = (0..HOURS)
        .map(|at| HolderHour { from: whole.from.plus(HOUR * at), kinds: Kinds::default() })
        .collect();
    for sum in app.store.sums_over_time(&asked).await? {
        let place = sum.at.since(whole.from).as_secs() / HOUR.as_secs();
        let hour = usize::try_from(place).ok().and_then(|place| hours.get_mut(place));
        if let Some(hour) = hour {
            hour.kinds.add(&sum.totals);
        }
    }
    Ok(hours)
}
