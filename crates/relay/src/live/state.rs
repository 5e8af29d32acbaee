//! The state of a running server.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use ipnet::IpNet;
use relay_core::clock::Timestamp;
use relay_core::credential::SignedOut;
use relay_core::health::{Rest, RestCause};
use relay_core::id::{AccountId, KeyId};
use relay_core::model::{ModelFamily, ModelPattern};
use relay_core::period::Span;
use relay_core::quota::WindowKind;
use relay_core::tally::Standing;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::config::Settings;
use crate::keyring::Holder;
use crate::roster::Member;
use crate::verbs::moment::in_zone;

/// The word for a rest of the whole account.
const WHOLE_ACCOUNT: &str = "account";

/// The state of a running server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LiveState {
    /// Every account.
    pub accounts: Vec<AccountLive>,
    /// Every key with limits, with calls under way, or that lasts from its first call.
    pub keys: Vec<KeyLive>,
    /// Calls under way.
    pub calls_open: usize,
    /// Where it listens; it may have been started with other settings than a command has.
    pub address: Option<SocketAddr>,
    /// Whether somebody who is not trusted named a client's address since the start.
    #[serde(default)]
    pub forwarded_by_stranger: bool,
    /// What it was started with. A command may have been given other settings.
    #[serde(default)]
    pub set: Option<SetLive>,
}

/// Settings of a running server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetLive {
    /// Whose word about clients' addresses it takes.
    pub trusted: Vec<IpNet>,
    /// How much the bodies of requests may take.
    pub body_memory_bytes: u64,
    /// The name of the zone in which its days begin, if it knows one.
    pub zone: Option<String>,
    /// The present in that zone.
    pub local_time: String,
}

/// An account in a running server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountLive {
    /// Which.
    pub id: AccountId,
    /// Calls under way.
    pub in_flight: u32,
    /// The rest that keeps all calls away, if there is one.
    pub resting: Option<RestLive>,
    /// Every rest, of single families and of its host too.
    pub rests: Vec<RestLive>,
    /// The quota windows that are known and have not begun anew.
    pub windows: Vec<WindowLive>,
    /// What its calls of today cost, in billionths of a dollar.
    pub spent_today_nanos: i64,
    /// That it has to be signed in again. An access token may still serve until it ends.
    pub signed_out: Option<SignedOut>,
    /// Whether only a person can make it serve: it is signed out, or its subscription ended.
    pub closed: bool,
    /// When its access token ends, if it has one and that is known.
    pub token_expires_at: Option<Timestamp>,
}

/// A rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestLive {
    /// What rests: `account`, the name of a family of models, or `host`.
    pub scope: String,
    /// The family of models that the rest is for; `None` is all.
    pub family: Option<String>,
    /// When it ends.
    pub until: Timestamp,
    /// What for.
    pub cause: RestCause,
    /// Whether the end is known, and no guess.
    pub stated: bool,
}

/// A quota window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowLive {
    /// Which: `5h`, `7d`, or `7d` and a family of models.
    pub window: String,
    /// How much is used, in thousandths.
    pub used_permille: u16,
    /// When it begins anew.
    pub resets_at: Option<Timestamp>,
    /// When the provider said so.
    pub seen_at: Timestamp,
}

/// A key in a running server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLive {
    /// Which.
    pub id: KeyId,
    /// Calls under way.
    pub in_flight: u32,
    /// Calls that wait for their turn.
    #[serde(default)]
    pub waiting: u32,
    /// When its first call came.
    #[serde(default)]
    pub first_used_at: Option<Timestamp>,
    /// How its limits stand.
    #[serde(default)]
    pub standings: Vec<Standing>,
}

impl LiveState {
    /// The accounts of this server alone, for who is asked within it.
    pub fn of_accounts(app: &App) -> Self {
        let now = app.now();
        let day = app.calendar.day(now);
        let members = app.roster.snapshot();
        let accounts = members.iter().map(|member| AccountLive::of(member, now, day)).collect();
        Self { accounts, calls_open: app.shutdown.open_calls(), ..Self::default() }
    }

    /// Keys of this server alone, for who is asked within it.
    pub fn of_keys(app: &App, ids: &[KeyId]) -> Self {
        let now = app.now();
        let holders = ids.iter().filter_map(|id| app.keys.known(*id));
        let keys = holders.filter_map(|it| KeyLive::of(&it, app, now)).collect();
        Self { keys, ..Self::default() }
    }

    /// The state of this server.
    pub fn of(app: &App, address: SocketAddr) -> Self {
        let now = app.now();
        let day = app.calendar.day(now);
        let members = app.roster.snapshot();
        Self {
            accounts: members.iter().map(|member| AccountLive::of(member, now, day)).collect(),
            keys: app.keys.holders().iter().filter_map(|it| KeyLive::of(it, app, now)).collect(),
            calls_open: app.shutdown.open_calls(),
            address: Some(address),
            forwarded_by_stranger: app.stranger_warning.is_completed(),
            set: Some(SetLive::of(&app.settings, now)),
        }
    }
}

impl KeyLive {
    /// A key of which nothing is known.
    pub const fn idle(id: KeyId) -> Self {
        Self { id, in_flight: 0, waiting: 0, first_used_at: None, standings: Vec::new() }
    }

    /// A key as it is now, if there is anything to tell of it.
    fn of(holder: &Holder, app: &App, now: Timestamp) -> Option<Self> {
        let (limits, slots) = (&holder.key.limits, &holder.slots);
        let waiting = u32::try_from(slots.waiting()).unwrap_or(u32::MAX);
        // These have a place among the calls under way, and wait for what they are to reserve.
        let reserving = holder.allowance.waiting();
        let live = Self {
            id: holder.key.id,
            in_flight: slots.in_flight().saturating_sub(reserving),
            waiting: waiting.saturating_add(reserving),
            first_used_at: holder.allowance.first_used(),
            standings: holder.allowance.standings(limits, now, &app.calendar),
        };
        let calls = live.in_flight > 0 || live.waiting > 0;
        let says = calls || !live.standings.is_empty() || holder.key.lasts.is_some();
        says.then_some(live)
    }
}

impl SetLive {
    /// Of these settings.
    pub(crate) fn of(settings: &Settings, now: Timestamp) -> Self {
        let zone = &settings.time_zone;
        let fixed = || zone.to_fixed_offset().ok().map(|offset| offset.to_string());
        let name = zone.iana_name().map(str::to_owned).or_else(fixed);
        Self {
            trusted: settings.trusted_proxies.ranges().to_vec(),
            body_memory_bytes: settings.calls.body_memory_bytes.try_into().unwrap_or(u64::MAX),
            zone: name.filter(|_| !zone.is_unknown()),
            local_time: in_zone(now, zone),
        }
    }
}

impl AccountLive {
    /// An account of which nothing is known.
    pub fn idle(id: AccountId) -> Self {
        Self {
            id,
            in_flight: 0,
            resting: None,
            rests: Vec::new(),
            windows: Vec::new(),
            spent_today_nanos: 0,
            signed_out: None,
            closed: false,
            token_expires_at: None,
        }
    }

    /// The account as it is now.
    pub(crate) fn of(member: &Member, now: Timestamp, day: Span) -> Self {
        let (shared, quota) = (&member.shared, member.shared.notes.quota());
        let window = |(kind, window): &(WindowKind, relay_core::quota::Window)| WindowLive {
            window: kind.to_string(),
            used_permille: window.used_permille,
            resets_at: window.resets_at,
            seen_at: window.seen_at,
        };
        Self {
            id: member.account.id,
            in_flight: shared.slots.in_flight(),
            resting: resting(member, now, day),
            rests: rests(member, now, day),
            windows: quota.windows(now).map(window).collect(),
            spent_today_nanos: shared.spent(day).as_nanos(),
            signed_out: shared.keeper.signed_out(),
            closed: member.closed(now).is_some(),
            token_expires_at: shared.keeper.tokens().and_then(|tokens| tokens.expires_at),
        }
    }
}

impl RestLive {
    /// The scope of a rest of the host that the account is reached at.
    pub const HOST: &str = "host";

    /// A rest of the whole account.
    pub fn of_account(rest: Rest) -> Self {
        Self::new(WHOLE_ACCOUNT, None, rest)
    }

    fn new(scope: &str, family: Option<&ModelFamily>, rest: Rest) -> Self {
        Self {
            scope: scope.to_owned(),
            family: family.map(|family| family.as_str().to_owned()),
            until: rest.until,
            cause: rest.cause,
            stated: rest.stated,
        }
    }

    fn of_family(family: &ModelFamily, rest: Rest) -> Self {
        Self::new(family.as_str(), Some(family), rest)
    }
}

/// The rest that keeps every call away: that of the account, or those of all families that it
/// serves, where its list of models tells which these are.
fn resting(member: &Member, now: Timestamp, day: Span) -> Option<RestLive> {
    let families: BTreeSet<ModelFamily> = served_families(&member.account.models);
    let rest_of = |family: &ModelFamily| {
        let own = member.shared.notes.seen(member.account.stop_at, family, now).standing;
        own.and(member.host.standing(family, now)).and(member.means(now, day)).rest()
    };
    if let Some(whole) = rest_of(&any_family()) {
        return Some(RestLive::of_account(whole));
    }
    let rests: Option<Vec<Rest>> = families.iter().map(rest_of).collect();
    // It serves again once the first of them does.
    rests?.into_iter().min_by_key(|rest| rest.until).map(RestLive::of_account)
}

/// Every rest there is, by what it covers.
fn rests(member: &Member, now: Timestamp, day: Span) -> Vec<RestLive> {
    let (notes, stop_at) = (&member.shared.notes, member.account.stop_at);
    let (account, families) = notes.rests(now);
    let quota = notes.quota();
    let mark = |until| Rest { until, cause: RestCause::WindowMark, stated: true };
    let whole_mark = quota.stopped(stop_at, &any_family(), now);
    let means = [member.money(day).rest(), member.shared.keeper.standing(now).rest()];
    let whole = account.into_iter().chain(whole_mark.map(|it| mark(it.until)));
    let whole = whole.chain(means.into_iter().flatten());
    let mut rests: Vec<_> = whole.map(RestLive::of_account).collect();
    rests.extend(families.iter().map(|(family, rest)| RestLive::of_family(family, *rest)));
    for (kind, _) in quota.windows(now) {
        let Some(family) = kind.family() else { continue };
        let stopped = quota.stopped(stop_at, family, now).filter(|it| it.window == *kind);
        rests.extend(stopped.map(|it| RestLive::of_family(family, mark(it.until))));
    }
    let host = member.host.rests(now);
    rests.extend(
        host.iter().map(|(family, rest)| RestLive::new(RestLive::HOST, Some(family), *rest)),
    );
    rests
}

/// The families that a list of models is of; none if it does not tell.
fn served_families(models: &[ModelPattern]) -> BTreeSet<ModelFamily> {
    let tells = |model: &ModelPattern| !model.as_str().starts_with('*');
    if !models.iter().all(tells) {
        return BTreeSet::new();
    }
    let family = |model: &ModelPattern| ModelFamily::of(model.as_str().trim_end_matches('*'));
    models.iter().map(family).collect()
}

/// Stands for a model of which nothing special is known.
fn any_family() -> ModelFamily {
    ModelFamily::of("")
}
