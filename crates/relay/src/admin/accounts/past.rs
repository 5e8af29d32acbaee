//! How an account stood over time.

use axum::Json;
use axum::extract::Path;
use relay_core::clock::Timestamp;
use relay_core::period::Span;
use serde::Serialize;
use utoipa::ToSchema;

use super::stored;
use super::view::{host, item};
use crate::admin::answer::{Problem, Read};
use crate::admin::given::Sought;
use crate::admin::guard::Who;
use crate::admin::span::{self, Asked};
use crate::verbs::account::{self, StretchView, WindowView};
use crate::verbs::moment;

/// How far back is looked unless asked otherwise.
const USUAL: Asked = Asked::Days(7);

/// How far a quota window was used over time, as far as it is known.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountWindowPast)]
pub(super) struct WindowPast {
    /// The window as it is now.
    #[serde(flatten)]
    now: WindowView,
    /// What was told, oldest first. The relay keeps the last of them alone.
    points: Vec<WindowPoint>,
}

/// How far a quota window was used at a moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountWindowPoint)]
struct WindowPoint {
    /// When.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// How far, in percent.
    used_percent: f64,
}

/// When an account was able over time, as far as events tell; oldest first.
#[utoipa::path(get, path = "/admin/accounts/{account}/ability", tag = "accounts",
    operation_id = "accounts_ability",
    params(("account" = String, Path, description = "Id or name"), span::Span),
    responses((status = 200, body = Vec<StretchView>), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
pub(super) async fn ability(
    who: Who,
    Path(name): Path<String>,
    Sought(span): Sought<span::Span>,
) -> Read<Vec<StretchView>> {
    let stored = stored(&who, &name).await?;
    let span = span.read(who.now(), USUAL)?;
    let span = (span.from, span.to);
    Ok(Json(account::ability(&who.app.store, &stored, &host(&who, &stored), span).await?))
}

/// How far the quota windows of an account are used.
#[utoipa::path(get, path = "/admin/accounts/{account}/windows", tag = "accounts",
    operation_id = "accounts_windows",
    params(("account" = String, Path, description = "Id or name"), span::Span),
    responses((status = 200, body = Vec<WindowPast>), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
pub(super) async fn windows(
    who: Who,
    Path(name): Path<String>,
    Sought(span): Sought<span::Span>,
) -> Read<Vec<WindowPast>> {
    let Span { from, to } = span.read(who.now(), USUAL)?;
    let past = |now: WindowView| {
        let point = WindowPoint { at: now.seen_at, used_percent: now.used_percent };
        let points = Some(point).filter(|point| from <= point.at && point.at <= to);
        WindowPast { points: points.into_iter().collect(), now }
    };
    let windows = item(&who, &name).await?.account.windows;
    Ok(Json(windows.into_iter().map(past).collect()))
}
