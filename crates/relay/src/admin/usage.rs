//! What was used over time: charts, tables and bills.

use axum::Json;
use axum::response::{IntoResponse, Response};
use relay_store::report::Dimension;
use relay_store::sums::By;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Problem, Read};
use super::calls::{account, key};
use super::csv::{self, Table};
use super::given::Sought;
use super::guard::Who;
use super::listed::Paging;
use super::span::{Asked, Span};
use crate::verbs::usage::{
    self, Bill, BillRow, BilledBy, Figure, Periods, Series, SeriesAsk, UsageQuestion, UsageRow,
    Width,
};

/// The addresses of usage.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(series))
        .routes(routes!(table))
        .routes(routes!(bills))
        .routes(routes!(bills_csv))
}

/// What lines of a chart are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Split {
    /// Nothing: one line.
    #[default]
    None,
    /// The model.
    Model,
    /// The key.
    Key,
    /// The account.
    Account,
    /// The kind of token.
    TokenKind,
}

/// What a chart shows.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Chart {
    /// What lines are told apart by: the five greatest, and all others in one.
    #[param(inline)]
    #[serde(default)]
    by: Split,
    /// What is shown.
    #[param(inline)]
    #[serde(default)]
    measure: Figure,
    /// How long buckets are; hours for a few days, else days.
    #[param(inline)]
    #[serde(default)]
    bucket: Option<Width>,
    /// Of one key, by id or name.
    #[serde(default)]
    key: Option<String>,
    /// Of one account, by id or name.
    #[serde(default)]
    account: Option<String>,
    /// Of one model.
    #[serde(default)]
    model: Option<String>,
    /// Whether the time before is told, too.
    #[serde(default)]
    compare: bool,
}

/// What a chart of usage is drawn from: of the last 28 days unless asked otherwise.
#[utoipa::path(get, path = "/admin/usage/series", tag = "usage", operation_id = "usage_series",
    params(Chart, Span),
    responses((status = 200, body = Series), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
async fn series(
    who: Who,
    Sought(chart): Sought<Chart>,
    Sought(span): Sought<Span>,
) -> Read<Series> {
    let periods = periods(&who, &span, Asked::Days(28))?;
    let set = |text: &Option<String>| {
        text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let key = match set(&chart.key) {
        Some(name) => Some(key(&who, &name).await?),
        None => None,
    };
    let account = match set(&chart.account) {
        Some(name) => Some(account(&who, &name).await?),
        None => None,
    };
    let ask = SeriesAsk {
        span: periods.whole,
        width: chart.bucket.unwrap_or(periods.width),
        by: match chart.by {
            Split::None | Split::TokenKind => By::All,
            Split::Model => By::Model,
            Split::Key => By::Key,
            Split::Account => By::Account,
        },
        by_token_kind: chart.by == Split::TokenKind,
        figure: if chart.by == Split::TokenKind { Figure::Tokens } else { chart.measure },
        key,
        account,
        model: set(&chart.model),
        before: chart.compare.then_some(periods.whole_before),
        zone: who.app.settings.time_zone.clone(),
        now: who.now(),
    };
    Ok(Json(usage::series(&who.app.store, &ask).await?))
}

/// The time that is asked for, and the one before.
pub(super) fn periods(who: &Who, span: &Span, usual: Asked) -> Result<Periods, Problem> {
    let (zone, now) = (&who.app.settings.time_zone, who.now());
    Ok(match span.asked(now, usual)? {
        Asked::Hours(hours) => Periods::hours(hours, zone, now),
        Asked::Days(days) => Periods::days(days, zone, now),
        Asked::Exact(span) => Periods::exact(span, zone, now),
    })
}

/// What rows of a table are told apart by.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Dimensions {
    /// `key`, `account`, `model`, `day` and `month`, with commas between them; none gives one row.
    #[serde(default)]
    by: Option<String>,
}

/// Sums as `crs usage` tells them, of the last seven days unless asked otherwise.
#[utoipa::path(get, path = "/admin/usage/table", tag = "usage", operation_id = "usage_table",
    params(Dimensions, Span),
    responses((status = 200, body = Vec<UsageRow>), (status = 400, body = Problem)))]
async fn table(
    who: Who,
    Sought(dimensions): Sought<Dimensions>,
    Sought(span): Sought<Span>,
) -> Read<Vec<UsageRow>> {
    let span = span.read(who.now(), Asked::Days(7))?;
    let by = dimensions.by.as_deref().unwrap_or_default();
    let names = by.split(',').map(str::trim).filter(|name| !name.is_empty());
    let by: Option<Vec<Dimension>> = names.map(Dimension::from_name).collect();
    let why = "usage is told apart by key, account, model, day and month";
    let question = UsageQuestion {
        by: by.ok_or_else(|| Problem::invalid(why).at("by"))?,
        since: span.from,
        until: Some(span.to.plus(std::time::Duration::from_millis(1))),
        zone: who.app.settings.time_zone.clone(),
    };
    Ok(Json(usage::report(&who.app.store, &question).await?))
}

/// Which bill is asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Month {
    /// The month, as `2026-11`; the present one is the usual.
    #[serde(default)]
    month: Option<String>,
    /// Who is billed.
    #[param(inline)]
    #[serde(default)]
    by: BilledBy,
}

/// A bill, a page of it.
#[derive(Debug, Serialize, ToSchema)]
struct Bills {
    /// The month.
    month: String,
    /// Every month that there is, the latest first.
    months: Vec<String>,
    /// Each key or owner, the dearest first.
    rows: Vec<BillRow>,
    /// How many there are on all pages.
    total: usize,
    /// What all of them cost.
    total_usd: f64,
    /// What all cost in the month before.
    previous_usd: f64,
    /// The zone in which months begin.
    zone: String,
}

/// What each key or owner cost in a month.
#[utoipa::path(get, path = "/admin/usage/bills", tag = "usage", operation_id = "usage_bills",
    params(Month, Paging),
    responses((status = 200, body = Bills), (status = 400, body = Problem)))]
async fn bills(
    who: Who,
    Sought(asked): Sought<Month>,
    Sought(paging): Sought<Paging>,
) -> Read<Bills> {
    let (month, months, bill) = asked.bill(&who).await?;
    Ok(Json(Bills {
        month,
        months,
        total: bill.rows.len(),
        total_usd: bill.total.to_usd_f64(),
        previous_usd: bill.previous_total.to_usd_f64(),
        rows: paging.cut(bill.rows),
        zone: who.app.settings.time_zone.iana_name().unwrap_or("UTC").to_owned(),
    }))
}

/// The same as a table for other programs, all of it.
#[utoipa::path(get, path = "/admin/usage/bills.csv", tag = "usage",
    operation_id = "usage_bills_csv", params(Month),
    responses((status = 200, description = "A table", content_type = "text/csv", body = String),
        (status = 400, body = Problem)))]
async fn bills_csv(who: Who, Sought(asked): Sought<Month>) -> Result<Response, Problem> {
    let (month, _, bill) = asked.bill(&who).await?;
    let mut table = Table::default();
    table.row([
        "month",
        "id",
        "name",
        "owner",
        "calls",
        "tokens",
        "cost_usd",
        "share_percent",
        "previous_usd",
    ]);
    for row in &bill.rows {
        table.row([
            month.as_str(),
            &row.id,
            &row.name,
            &row.owner,
            &row.calls.to_string(),
            &row.tokens.to_string(),
            &row.cost.to_usd_f64().to_string(),
            &format!("{:.2}", row.share_percent),
            &row.previous.to_usd_f64().to_string(),
        ]);
    }
    let name = format!("bill-{month}.csv");
    Ok((csv::headers(&name), table.into_bytes()).into_response())
}

impl Month {
    async fn bill(&self, who: &Who) -> Result<(String, Vec<String>, Bill), Problem> {
        let (store, zone) = (&who.app.store, &who.app.settings.time_zone);
        let months = usage::months(store, zone, who.now()).await?;
        let asked = self.month.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let month = asked.map(str::to_owned).or_else(|| months.first().cloned());
        let month = month.unwrap_or_default();
        let bill = usage::bill(store, &month, self.by, zone).await;
        Ok((month, months, bill.map_err(|error| Problem::from(error).at("month"))?))
    }
}
