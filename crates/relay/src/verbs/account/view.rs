//! An account as it is shown: what was set, and what a running server knows. Never its secret.

use std::time::Duration;

use jiff::tz::TimeZone;
use relay_core::account::{AccountKind, ClientRule, KeyHeader, OauthSettings, Sharing, Speaks};
use relay_core::clock::Timestamp;
use relay_core::credential::{Credential, Identity, Tokens};
use relay_core::health::RestCause;
use relay_core::id::AccountId;
use relay_core::model::{ModelMapping, ModelPattern};
use relay_core::money::Money;
use relay_core::payload::PayloadRule;
use relay_core::proxy::Proxy;
use relay_core::quota::StopAt;
use relay_store::accounts::StoredAccount;
use relay_store::groups::Group;
use serde::Serialize;
use utoipa::ToSchema;

use super::document::{IdentityDoc, MappingDoc, OauthDoc, PayloadDoc};
use super::reason;
use crate::live::{AccountLive, LiveState, RestLive, WindowLive};
use crate::text::{Language, retold};
use crate::verbs::moment;

/// What is known beside the records.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What a running server knows; `None` without one.
    pub live: Option<&'a LiveState>,
    /// The present.
    pub now: Timestamp,
    /// The zone in which people read times.
    pub zone: &'a TimeZone,
}

/// Whether an account serves calls. Of several that hold, the first here is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// An operator switched it off.
    Paused,
    /// Its subscription has ended.
    Ended,
    /// It has to be signed in to again.
    SignedOut,
    /// It cools down by itself.
    Resting,
    /// It serves.
    Able,
}

impl AccountState {
    /// The word used in tables and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Ended => "ended",
            Self::SignedOut => "signed_out",
            Self::Resting => "resting",
            Self::Able => "able",
        }
    }
}

/// A rest of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RestView {
    /// What rests: `account`, a family of models, or `host`.
    pub scope: String,
    /// The family of models that it is for; null is all.
    pub family: Option<String>,
    /// When it ends.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// What for.
    #[schema(value_type = String)]
    pub cause: RestCause,
    /// Whether the end is known, not guessed.
    pub stated: bool,
    /// All of it for people.
    pub words: String,
}

/// A quota window of an account.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct WindowView {
    /// Which: `5h`, `7d`, or `7d` and a family of models.
    pub window: String,
    /// How much is used, in percent.
    pub used_percent: f64,
    /// When it begins anew.
    #[serde(serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resets_at: Option<Timestamp>,
    /// When the provider said so.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
}

/// At how much of a window an account rests, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct MarksView {
    /// Of the 5-hour window.
    #[serde(rename = "5h")]
    pub five_hour: Option<u8>,
    /// Of the 7-day windows.
    #[serde(rename = "7d")]
    pub seven_day: Option<u8>,
}

/// An account as it is shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AccountView {
    /// Identity.
    #[schema(value_type = String)]
    pub id: AccountId,
    /// The name.
    pub name: String,
    /// How it is reached.
    #[schema(value_type = String)]
    pub kind: AccountKind,
    /// Whether it serves calls.
    pub state: AccountState,
    /// Why it does not serve, or soon will not, for people; empty if there is nothing to say.
    pub reason: String,
    /// When its rest ends and it serves again by itself.
    #[serde(serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resumes_at: Option<Timestamp>,
    /// Why it rests.
    #[schema(value_type = Option<String>)]
    pub rest_cause: Option<RestCause>,
    /// Every rest of it, of its host and of single families of models.
    pub rests: Vec<RestView>,
    /// The quota windows that the provider told of.
    pub windows: Vec<WindowView>,
    /// The operator's switch.
    pub enabled: bool,
    /// Lower goes first.
    pub priority: i32,
    /// Share of calls among accounts of one priority.
    pub weight: u32,
    /// Calls at one time.
    pub max_concurrency: Option<u32>,
    /// Names of the groups that it belongs to.
    pub groups: Vec<String>,
    /// Whether it is reached through a proxy of its own.
    pub has_proxy: bool,
    /// That proxy, without its login.
    pub proxy: Option<String>,
    /// Calls under way.
    pub in_flight: u32,
    /// Who may be served.
    #[schema(value_type = String)]
    pub sharing: Sharing,
    /// Where it is.
    pub base_url: String,
    /// How the key is sent.
    #[schema(value_type = String)]
    pub key_header: KeyHeader,
    /// Which protocol it is spoken to in, where its host has two.
    #[schema(value_type = String)]
    pub speaks: Speaks,
    /// The Google Cloud project that its calls are for: the operator's, else that of its sign-in.
    pub project: Option<String>,
    /// The last four characters of the secret.
    pub secret_tail: String,
    /// Whose sign-in it is, as the provider told.
    #[schema(value_type = Option<IdentityDoc>)]
    pub identity: Option<Identity>,
    /// When the access token ends; one that can be refreshed is replaced before.
    #[serde(serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub token_expires_at: Option<Timestamp>,
    /// Whether the token can be refreshed; null for accounts without one.
    pub can_refresh: Option<bool>,
    /// Since when it has to be signed in to again.
    #[serde(serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub signed_out_at: Option<Timestamp>,
    /// Where it is signed in to, where that is not the provider's own place.
    #[schema(value_type = OauthDoc)]
    pub oauth: OauthSettings,
    /// Which clients it serves.
    #[schema(value_type = String)]
    pub clients: ClientRule,
    /// When the subscription ends.
    #[serde(serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Timestamp>,
    /// At how much of a quota window it rests.
    pub stop_at: MarksView,
    /// What its calls may cost in a day.
    pub daily_cost_usd: Option<f64>,
    /// What they have cost today; null without a running server.
    pub spent_today_usd: Option<f64>,
    /// Models it serves; empty is all.
    #[schema(value_type = Vec<String>)]
    pub models: Vec<ModelPattern>,
    /// Names that are sent upstream under another name.
    #[schema(value_type = Vec<MappingDoc>)]
    pub map: Vec<ModelMapping>,
    /// Names of the headers added to each request; their values may be secret.
    pub headers: Vec<String>,
    /// What is changed in the bodies of its calls, in order.
    #[schema(value_type = Vec<PayloadDoc>)]
    pub payload: Vec<PayloadRule>,
    /// Milliseconds to the first byte of a streamed answer, if not the relay's.
    pub first_byte_timeout_ms: Option<u64>,
    /// Milliseconds to the end of a unary answer, if not the relay's.
    pub unary_timeout_ms: Option<u64>,
    /// Milliseconds between two bytes of a streamed answer, if not the relay's.
    pub idle_timeout_ms: Option<u64>,
    /// A note for people.
    pub note: String,
    /// When it was added.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last edited.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl AccountView {
    /// The same with what is for people in another language.
    #[must_use]
    pub fn retold(mut self, language: Language) -> Self {
        self.reason = retold(&self.reason, language);
        for rest in &mut self.rests {
            rest.words = retold(&rest.words, language);
        }
        self
    }

    pub(super) fn new(stored: &StoredAccount, groups: &[Group], known: &Known<'_>) -> Self {
        let account = stored.account.clone();
        let live = known.live.and_then(|it| it.accounts.iter().find(|it| it.id == account.id));
        let windows = live.map_or_else(Vec::new, windows);
        let rests = live.map_or_else(Vec::new, |live| rests(live, &windows, stored, known));
        let rest = live.and_then(|live| live.resting.as_ref());
        let state = state(stored, rest, known.now);
        let rest = rest.filter(|_| state == AccountState::Resting);
        let tokens = tokens(stored);
        let member = |group: &&Group| account.groups.contains(&group.id);
        Self {
            groups: groups.iter().filter(member).map(|group| group.name.clone()).collect(),
            id: account.id,
            name: account.name,
            kind: account.kind,
            state,
            reason: reason::reason(stored, &rests, known),
            resumes_at: rest.map(|rest| rest.until),
            rest_cause: rest.map(|rest| rest.cause),
            rests,
            windows,
            enabled: account.enabled,
            priority: account.priority,
            weight: account.weight,
            max_concurrency: account.concurrency_max,
            has_proxy: account.proxy.is_some(),
            proxy: account.proxy.as_ref().map(Proxy::masked),
            in_flight: live.map_or(0, |live| live.in_flight),
            sharing: account.sharing,
            base_url: account.base_url,
            key_header: account.key_header,
            speaks: account.speaks,
            project: account.project.or_else(|| {
                let named = stored.identity.as_ref().map(|identity| identity.project.clone());
                named.filter(|project| !project.is_empty())
            }),
            secret_tail: stored.secret_tail.clone(),
            identity: stored.identity.clone(),
            token_expires_at: tokens.and_then(|tokens| tokens.expires_at),
            can_refresh: tokens.map(|tokens| tokens.refresh.is_some()),
            signed_out_at: stored.signed_out.map(|signed_out| signed_out.at),
            oauth: account.oauth,
            clients: account.clients,
            ends_at: account.ends_at,
            stop_at: MarksView::from(account.stop_at),
            daily_cost_usd: account.daily_cost_max.map(Money::to_usd_f64),
            spent_today_usd: live
                .map(|live| Money::from_nanos(live.spent_today_nanos).to_usd_f64()),
            models: account.models,
            map: account.model_map,
            headers: account.extra_headers.into_iter().map(|header| header.name).collect(),
            payload: account.payload,
            first_byte_timeout_ms: account.deadlines.first_byte.map(millis),
            unary_timeout_ms: account.deadlines.unary.map(millis),
            idle_timeout_ms: account.deadlines.idle.map(millis),
            note: account.note,
            created_at: account.created_at,
            updated_at: stored.updated_at,
        }
    }
}

impl From<StopAt> for MarksView {
    fn from(marks: StopAt) -> Self {
        Self { five_hour: marks.five_hour, seven_day: marks.seven_day }
    }
}

/// What a person did goes before what the machine noted.
fn state(stored: &StoredAccount, rest: Option<&RestLive>, now: Timestamp) -> AccountState {
    if !stored.account.enabled {
        AccountState::Paused
    } else if stored.account.ends_at.is_some_and(|at| at <= now) {
        AccountState::Ended
    } else if reason::has_to_sign_in(stored, now) {
        AccountState::SignedOut
    } else if rest.is_some() {
        AccountState::Resting
    } else {
        AccountState::Able
    }
}

fn rests(
    live: &AccountLive,
    windows: &[WindowView],
    stored: &StoredAccount,
    known: &Known<'_>,
) -> Vec<RestView> {
    let view = |rest: &RestLive| RestView {
        scope: rest.scope.clone(),
        family: rest.family.clone(),
        until: rest.until,
        cause: rest.cause,
        stated: rest.stated,
        words: reason::rest(rest, windows, stored.account.stop_at, known),
    };
    live.rests.iter().map(view).collect()
}

fn windows(live: &AccountLive) -> Vec<WindowView> {
    let view = |window: &WindowLive| WindowView {
        window: window.window.clone(),
        used_percent: f64::from(window.used_permille) / 10.0,
        resets_at: window.resets_at,
        seen_at: window.seen_at,
    };
    live.windows.iter().map(view).collect()
}

fn tokens(stored: &StoredAccount) -> Option<&Tokens> {
    match &stored.credential {
        Credential::Tokens(tokens) => Some(tokens),
        Credential::Missing | Credential::ApiKey(_) => None,
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
