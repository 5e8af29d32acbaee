//! Calls that are over.

use relay_core::clock::Timestamp;
use relay_core::id::{AccountId, CallId, KeyId};
use relay_core::usage::{Attempt, CallRecord, Exactness, Outcome};
use relay_store::Store;
use relay_store::sums::Names;
use relay_store::usage::CallFilter;
use serde::Serialize;
use utoipa::ToSchema;

use crate::text::{Language, retold};
use crate::verbs::account::fault_words;
use crate::verbs::{VerbError, moment};

/// A key or an account with what people call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Named {
    /// Which.
    pub id: String,
    /// Its name, also if it was removed.
    pub name: String,
}

/// A call that is over, in a line.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CallRow {
    /// Identity; the client knows it as `request-id`.
    #[schema(value_type = String)]
    pub id: CallId,
    /// When it came.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Whose call it was.
    pub key: Named,
    /// Whose the key is.
    pub owner: String,
    /// The account that answered, or was asked last.
    pub account: Named,
    /// The model that the client asked for.
    pub model_asked: String,
    /// The model that answered; empty if nobody said.
    pub model_served: String,
    /// The client's id; empty if unknown.
    pub client: String,
    /// The path that was called.
    pub path: String,
    /// The status that the client got.
    pub status: u16,
    /// How it ended.
    #[schema(value_type = String)]
    pub outcome: Outcome,
    /// Whether the answer was streamed.
    pub streamed: bool,
    /// How many attempts were made.
    pub attempts: usize,
    /// Input that no cache served or kept.
    pub input: u64,
    /// Output.
    pub output: u64,
    /// Input read from the cache.
    pub cache_read: u64,
    /// Input written to the cache.
    pub cache_write: u64,
    /// What it cost.
    pub cost_usd: f64,
    /// Milliseconds to the first byte of the answer.
    pub first_byte_ms: Option<u64>,
    /// Milliseconds to the end.
    pub total_ms: u64,
    /// How sure the tokens are: `exact`, `estimated` or `reserved`.
    #[schema(value_type = String)]
    pub exactness: Exactness,
}

/// An attempt of a call.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = CallAttempt)]
pub struct AttemptView {
    /// Which account was asked.
    pub account: Named,
    /// When the request went out.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// The upstream's status, if it came to one.
    pub status: Option<u16>,
    /// Why it failed, in one word; null if it answered.
    pub fault: Option<String>,
    /// The same for people.
    pub words: Option<String>,
    /// Whether the upstream may have billed it though it was given up.
    pub maybe_billed: bool,
}

/// All that is known of a call. Nothing of what was asked or answered is kept.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CallDetail {
    /// The call in a line.
    #[serde(flatten)]
    pub row: CallRow,
    /// Every attempt, in order.
    pub attempts_list: Vec<AttemptView>,
    /// Input written to the cache for five minutes.
    pub cache_write_5m: u64,
    /// Input written to the cache for an hour.
    pub cache_write_1h: u64,
    /// Searches on the web.
    pub web_searches: u64,
    /// Which price list it was priced by.
    pub price_version: String,
    /// How the price was found: `listed`, `override`, `family_maximum`, `provider_maximum` or
    /// `unknown`.
    pub price_source: String,
    /// The provider's service tier; empty if not stated.
    pub service_tier: String,
    /// The provider's speed mode; empty if not stated.
    pub speed: String,
    /// The conversation, as a hash.
    pub session: Option<String>,
    /// When the window of the key began in which it counts.
    #[serde(serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub window_from: Option<Timestamp>,
}

/// A page of calls.
#[derive(Debug, Clone)]
pub struct Page {
    /// The calls, newest first.
    pub rows: Vec<CallRow>,
    /// Where the next page begins.
    pub next: Option<CallId>,
}

/// Calls that came before the call `before`, newest first.
pub async fn page(
    store: &Store,
    filter: &CallFilter,
    before: Option<CallId>,
    limit: u32,
) -> Result<Page, VerbError> {
    let page = store.calls_page(filter, before, limit).await?;
    Ok(Page { rows: rows(store, &page.calls).await?, next: page.next })
}

/// Calls in lines, in the same order.
pub async fn rows(store: &Store, calls: &[CallRecord]) -> Result<Vec<CallRow>, VerbError> {
    let keys = calls.iter().map(|call| call.key);
    let names = store.names(keys, calls.iter().map(|call| call.account)).await?;
    Ok(calls.iter().map(|call| CallRow::of(call, &names)).collect())
}

/// All that is known of a call.
pub async fn detail(
    store: &Store,
    id: CallId,
    language: Language,
) -> Result<Option<CallDetail>, VerbError> {
    let Some(call) = store.call(id).await? else { return Ok(None) };
    let asked = call.attempts.iter().map(|attempt| attempt.account);
    let names = store.names([call.key], asked.chain([call.account])).await?;
    Ok(Some(CallDetail::of(&call, &names, language)))
}

fn key(id: KeyId, names: &Names) -> Named {
    let name = names.keys.get(&id).map_or_else(|| id.to_string(), |(name, _)| name.clone());
    Named { id: id.to_string(), name }
}

fn account(id: AccountId, names: &Names) -> Named {
    let name = names.accounts.get(&id).cloned().unwrap_or_else(|| id.to_string());
    Named { id: id.to_string(), name }
}

impl CallRow {
    fn of(call: &CallRecord, names: &Names) -> Self {
        let usage = &call.usage;
        Self {
            id: call.call,
            at: call.at,
            key: key(call.key, names),
            owner: names.keys.get(&call.key).map(|(_, owner)| owner.clone()).unwrap_or_default(),
            account: account(call.account, names),
            model_asked: call.model_asked.clone(),
            model_served: call.model_served.clone(),
            client: call.client.clone(),
            path: call.path.clone(),
            status: call.status,
            outcome: call.outcome,
            streamed: call.streamed,
            attempts: call.attempts.len(),
            input: usage.input,
            output: usage.output,
            cache_read: usage.cache_read,
            cache_write: usage.cache_write(),
            cost_usd: call.cost.to_usd_f64(),
            first_byte_ms: call.first_byte_millis,
            total_ms: call.total_millis,
            exactness: call.exactness,
        }
    }
}

impl CallDetail {
    fn of(call: &CallRecord, names: &Names, language: Language) -> Self {
        let attempt = |attempt: &Attempt| AttemptView {
            account: account(attempt.account, names),
            at: attempt.at,
            millis: attempt.millis,
            status: attempt.status,
            words: attempt.fault.as_deref().map(|fault| retold(&fault_words(fault), language)),
            fault: attempt.fault.clone(),
            maybe_billed: attempt.maybe_billed,
        };
        let source = serde_json::to_value(call.priced_by.source).unwrap_or_default();
        Self {
            row: CallRow::of(call, names),
            attempts_list: call.attempts.iter().map(attempt).collect(),
            cache_write_5m: call.usage.cache_write_5m,
            cache_write_1h: call.usage.cache_write_1h,
            web_searches: call.usage.web_searches,
            price_version: call.priced_by.version.clone(),
            price_source: source.as_str().unwrap_or_default().to_owned(),
            service_tier: call.service_tier.clone(),
            speed: call.speed.clone(),
            session: call.session.as_ref().map(ToString::to_string),
            window_from: call.window,
        }
    }
}
