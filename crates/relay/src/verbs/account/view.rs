//! An account as it is shown: what was set, and what a running server knows. Never its secret.

use std::time::Duration;

use relay_core::account::{AccountKind, KeyHeader, Sharing};
use relay_core::clock::Timestamp;
use relay_core::health::RestCause;
use relay_core::id::AccountId;
use relay_core::model::{ModelMapping, ModelPattern};
use relay_store::accounts::StoredAccount;
use relay_store::groups::Group;
use serde::Serialize;

use crate::live::{LiveState, RestLive};
use crate::verbs::moment;

/// Whether an account serves calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// It does.
    Able,
    /// It cools down by itself.
    Resting,
    /// An operator switched it off.
    Paused,
}

impl AccountState {
    /// The word used in tables and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Able => "able",
            Self::Resting => "resting",
            Self::Paused => "paused",
        }
    }
}

/// An account as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct AccountView {
    /// Identity.
    pub id: AccountId,
    /// The name.
    pub name: String,
    /// How it is reached.
    pub kind: AccountKind,
    /// Whether it serves calls.
    pub state: AccountState,
    /// When its rest ends.
    #[serde(serialize_with = "moment::serialize_option")]
    pub resumes_at: Option<Timestamp>,
    /// Why it rests.
    pub rest_cause: Option<RestCause>,
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
    /// Calls under way.
    pub in_flight: u32,
    /// Who may be served.
    pub sharing: Sharing,
    /// Where it is.
    pub base_url: String,
    /// How the key is sent.
    pub key_header: KeyHeader,
    /// The last four characters of the secret.
    pub secret_tail: String,
    /// Models it serves; empty is all.
    pub models: Vec<ModelPattern>,
    /// Names that are sent upstream under another name.
    pub map: Vec<ModelMapping>,
    /// Names of the headers added to each request; their values may be secret.
    pub headers: Vec<String>,
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
    pub created_at: Timestamp,
    /// When it was last edited.
    #[serde(serialize_with = "moment::serialize")]
    pub updated_at: Timestamp,
}

impl AccountView {
    pub(super) fn new(stored: &StoredAccount, groups: &[Group], live: Option<&LiveState>) -> Self {
        let account = stored.account.clone();
        let live = live.and_then(|live| live.accounts.iter().find(|it| it.id == account.id));
        let resting = live.and_then(|live| live.resting.as_ref());
        let member = |group: &&Group| account.groups.contains(&group.id);
        Self {
            groups: groups.iter().filter(member).map(|group| group.name.clone()).collect(),
            id: account.id,
            name: account.name,
            kind: account.kind,
            state: state(account.enabled, resting),
            resumes_at: resting.map(|rest| rest.until),
            rest_cause: resting.map(|rest| rest.cause),
            enabled: account.enabled,
            priority: account.priority,
            weight: account.weight,
            max_concurrency: account.concurrency_max,
            has_proxy: false,
            in_flight: live.map_or(0, |live| live.in_flight),
            sharing: account.sharing,
            base_url: account.base_url,
            key_header: account.key_header,
            secret_tail: stored.secret_tail.clone(),
            models: account.models,
            map: account.model_map,
            headers: account.extra_headers.into_iter().map(|header| header.name).collect(),
            first_byte_timeout_ms: account.deadlines.first_byte.map(millis),
            unary_timeout_ms: account.deadlines.unary.map(millis),
            idle_timeout_ms: account.deadlines.idle.map(millis),
            note: account.note,
            created_at: account.created_at,
            updated_at: stored.updated_at,
        }
    }
}

/// What a person did goes before what the machine noted.
const fn state(enabled: bool, resting: Option<&RestLive>) -> AccountState {
    match (enabled, resting) {
        (false, _) => AccountState::Paused,
        (true, Some(_)) => AccountState::Resting,
        (true, None) => AccountState::Able,
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
