//! The log of calls.

mod csv_file;

use axum::Json;
use axum::extract::Path;
use relay_core::id::{AccountId, CallId, KeyId};
use relay_store::usage::{CallFilter, Ended};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Code, Problem, Read};
use super::given::Sought;
use super::guard::Who;
use super::span::{Asked, Span};
use crate::verbs::call::{self, CallDetail, CallRow};

/// Calls on a page, unless asked otherwise, and at most.
const LIMIT: u32 = 25;
const LIMIT_MAX: u32 = 100;
/// Up to how many are counted exactly.
const COUNTED_MAX: u32 = 10_000;
/// Keys of one owner that are looked for.
const KEYS_MAX: usize = 1_000;

/// The addresses of calls.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(csv_file::csv_file))
        .routes(routes!(show))
}

/// How a call ended.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// It was answered.
    Ok,
    /// It was rejected, broke off, or nobody could answer.
    Failed,
    /// The client left before the end.
    Left,
    /// The provider did not state all that it used.
    Estimated,
    /// It was not answered at the first attempt.
    Retried,
}

/// Which calls are asked for. Time alone, a key, an account and an owner are found by indexes, also
/// together with the others. Others alone look at one call after the other, at most 100,000 for a
/// page: it may then hold fewer, and says where to go on.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Those of this key, by id or name.
    #[serde(default)]
    key: Option<String>,
    /// Those that this account answered, or was asked last, by id or name.
    #[serde(default)]
    account: Option<String>,
    /// Those of this owner's keys.
    #[serde(default)]
    owner: Option<String>,
    /// Those that count under this model: the one that answered, else that was asked for.
    #[serde(default)]
    model: Option<String>,
    /// Those of this client, by its id.
    #[serde(default)]
    client: Option<String>,
    /// How they ended.
    #[param(inline)]
    #[serde(default)]
    status: Option<Status>,
}

/// Which page is asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Cursor {
    /// Where the page before it ended: its `next`.
    #[serde(default)]
    before: Option<String>,
    /// How many calls stand on it: 25 unless given, at most 100.
    #[param(minimum = 1, maximum = 100)]
    #[serde(default)]
    limit: Option<u32>,
}

/// A page of calls.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CallsPage)]
struct Page {
    /// The calls, newest first.
    items: Vec<CallRow>,
    /// Where the next page begins; null at the end. There may be one though this one is not full.
    #[schema(value_type = Option<String>)]
    next: Option<CallId>,
    /// How many calls there are in all; null on all pages but the first.
    total: Option<u64>,
    /// Whether that is exact; else there are more.
    total_exact: bool,
    /// Whether calls are looked at one by one for this filter.
    slow: bool,
}

/// Calls of the last 24 hours unless asked otherwise, newest first.
#[utoipa::path(get, path = "/admin/calls", tag = "calls", operation_id = "calls_list",
    params(Filter, Span, Cursor),
    responses((status = 200, body = Page), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
async fn list(
    who: Who,
    Sought(filter): Sought<Filter>,
    Sought(span): Sought<Span>,
    Sought(cursor): Sought<Cursor>,
) -> Read<Page> {
    let (filter, slow) = filter.read(&who, &span).await?;
    let before = cursor.before()?;
    let limit = cursor.limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX);
    let store = &who.app.store;
    let page = call::page(store, &filter, before, limit).await?;
    let (total, total_exact) = match before {
        None if page.next.is_none() => (u64::try_from(page.rows.len()).ok(), true),
        None => {
            let (count, exact) = store.count_calls(&filter, COUNTED_MAX).await?;
            (Some(count), exact)
        }
        Some(_) => (None, false),
    };
    Ok(Json(Page { items: page.rows, next: page.next, total, total_exact, slow }))
}

/// All that is known of a call. Nothing of what was asked or answered is kept.
#[utoipa::path(get, path = "/admin/calls/{call}", tag = "calls", operation_id = "calls_show",
    params(("call" = String, Path, description = "Its id, which clients know as request-id")),
    responses((status = 200, body = CallDetail), (status = 404, body = Problem)))]
async fn show(who: Who, Path(id): Path<String>) -> Read<CallDetail> {
    let missing = || Problem::new(Code::NotFound, "there is no such call, or it is forgotten");
    let call = read_id(&id).ok_or_else(missing)?;
    let found = call::detail(&who.app.store, call, who.language).await?;
    found.map(Json).ok_or_else(missing)
}

impl Cursor {
    fn before(&self) -> Result<Option<CallId>, Problem> {
        let text = self.before.as_deref().filter(|text| !text.is_empty());
        let why = "not where a page of calls ended";
        let read = |text| read_id(text).ok_or_else(|| Problem::invalid(why).at("before"));
        text.map(read).transpose()
    }
}

fn read_id(text: &str) -> Option<CallId> {
    text.trim().parse().ok()
}

impl Filter {
    /// What the records are asked for, and whether that is slow.
    async fn read(&self, who: &Who, span: &Span) -> Result<(CallFilter, bool), Problem> {
        let span = span.read(who.now(), Asked::Hours(24))?;
        let named = |text: &Option<String>| {
            text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let filter = CallFilter {
            from: span.from,
            // A call of this very moment is in it.
            to: span.to.plus(std::time::Duration::from_millis(1)),
            keys: self.keys(who).await?,
            account: self.account(who).await?,
            model: named(&self.model),
            client: named(&self.client),
            ended: self.status.map(|status| match status {
                Status::Ok => Ended::Ok,
                Status::Failed => Ended::Failed,
                Status::Left => Ended::Left,
                Status::Estimated => Ended::Estimated,
                Status::Retried => Ended::Retried,
            }),
        };
        let slow = filter.looks_at_each() && !filter.is_indexed();
        Ok((filter, slow))
    }

    async fn keys(&self, who: &Who) -> Result<Option<Vec<KeyId>>, Problem> {
        let is_set = |text: &&str| !text.trim().is_empty();
        if let Some(name) = self.key.as_deref().filter(is_set) {
            return key(who, name).await.map(|id| Some(vec![id]));
        }
        let Some(owner) = self.owner.as_deref().filter(is_set) else { return Ok(None) };
        let holders = who.app.keys.holders();
        let its = holders.iter().filter(|it| it.key.owner == owner).map(|it| it.key.id);
        Ok(Some(its.take(KEYS_MAX).collect()))
    }

    async fn account(&self, who: &Who) -> Result<Option<AccountId>, Problem> {
        let name = self.account.as_deref().filter(|text| !text.trim().is_empty());
        match name {
            None => Ok(None),
            Some(name) => account(who, name).await.map(Some),
        }
    }
}

/// The key that is meant; one that was removed by its id, too.
pub(super) async fn key(who: &Who, id_or_name: &str) -> Result<KeyId, Problem> {
    let (store, name) = (&who.app.store, id_or_name.trim());
    let found = match store.find_key(name).await? {
        Some(found) => Some(found),
        None => store.find_removed_key(name).await?,
    };
    let why = || format!("there is no key {name:?}");
    found.map(|it| it.key.id).ok_or_else(|| Problem::new(Code::NotFound, why()).at("key"))
}

/// The account that is meant; one that was removed by its id.
pub(super) async fn account(who: &Who, id_or_name: &str) -> Result<AccountId, Problem> {
    let name = id_or_name.trim();
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    let found = who.app.store.find_account(name).await?;
    let why = || format!("there is no account {name:?}");
    let found = found.map(|it| it.account.id);
    found.ok_or_else(|| Problem::new(Code::NotFound, why()).at("account"))
}
