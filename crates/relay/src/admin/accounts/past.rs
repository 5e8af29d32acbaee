//! How an account stood over time.

use std::time::Duration;

use axum::Json;
use axum::extract::Path;
use relay_core::clock::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::stored;
use super::view::{host, item};
use crate::admin::answer::{Problem, Read};
use crate::admin::given::Sought;
use crate::admin::guard::Who;
use crate::verbs::account::{self, StretchView, WindowView};
use crate::verbs::moment;

/// How far back is looked unless asked otherwise, and at most.
const USUAL: Duration = Duration::from_hours(7 * 24);
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// A span of time.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Span {
    /// `24h`, `7d`, `28d` or `90d`, which end now; 7d is the usual.
    #[serde(default)]
    range: Option<String>,
    /// Its first moment (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    from: Option<jiff::Timestamp>,
    /// The first moment after it (RFC 3339); now is the usual.
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    to: Option<jiff::Timestamp>,
}

/// How far a quota window was used over time, as far as it is known.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WindowPast {
    /// The window as it is now.
    #[serde(flatten)]
    now: WindowView,
    /// What was told, oldest first. The relay keeps the last of them alone.
    points: Vec<WindowPoint>,
}

/// How far a quota window was used at a moment.
#[derive(Debug, Serialize, ToSchema)]
struct WindowPoint {
    /// When.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// How far, in percent.
    used_percent: f64,
}

impl Span {
    fn read(&self, now: Timestamp) -> Result<(Timestamp, Timestamp), Problem> {
        let moment = |at: jiff::Timestamp| Timestamp::from_millis(at.as_millisecond());
        let to = self.to.map_or(now, moment).min(now);
        let back = match self.range.as_deref() {
            None | Some("") => USUAL,
            Some(text) => range(text).ok_or_else(|| {
                Problem::invalid("a range is a number of hours or days, as in 24h or 7d")
                    .at("range")
            })?,
        };
        let from = self.from.map_or(to.minus(back), moment).max(now.minus(LONGEST));
        if from >= to {
            return Err(Problem::invalid("the span ends before it begins").at("from"));
        }
        Ok((from, to))
    }
}

/// When an account was able over time, as far as events tell; oldest first.
#[utoipa::path(get, path = "/admin/accounts/{account}/ability", tag = "accounts",
    operation_id = "accounts_ability",
    params(("account" = String, Path, description = "Id or name"), Span),
    responses((status = 200, body = Vec<StretchView>), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
pub(super) async fn ability(
    who: Who,
    Path(name): Path<String>,
    Sought(span): Sought<Span>,
) -> Read<Vec<StretchView>> {
    let stored = stored(&who, &name).await?;
    let span = span.read(who.now())?;
    Ok(Json(account::ability(&who.app.store, &stored, &host(&who, &stored), span).await?))
}

/// How far the quota windows of an account are used.
#[utoipa::path(get, path = "/admin/accounts/{account}/windows", tag = "accounts",
    operation_id = "accounts_windows",
    params(("account" = String, Path, description = "Id or name"), Span),
    responses((status = 200, body = Vec<WindowPast>), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
pub(super) async fn windows(
    who: Who,
    Path(name): Path<String>,
    Sought(span): Sought<Span>,
) -> Read<Vec<WindowPast>> {
    let (from, to) = span.read(who.now())?;
    let past = |now: WindowView| {
        let point = WindowPoint { at: now.seen_at, used_percent: now.used_percent };
        let points = Some(point).filter(|point| from <= point.at && point.at <= to);
        WindowPast { points: points.into_iter().collect(), now }
    };
    let windows = item(&who, &name).await?.account.windows;
    Ok(Json(windows.into_iter().map(past).collect()))
}

/// A number of hours or days.
fn range(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let hours = match unit {
        "h" => 1,
        "d" => 24,
        _ => return None,
    };
    let number: u64 = number.parse().ok().filter(|number| (1..=8_784).contains(number))?;
    Some(Duration::from_hours(number * hours).min(LONGEST))
}
