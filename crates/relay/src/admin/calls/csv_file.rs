//! The log of calls as a table for other programs, sent as it is read.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use relay_core::id::CallId;
use relay_store::usage::CallFilter;

use super::{Filter, Problem, Span};
use crate::admin::csv::{self, Table};
use crate::admin::given::Sought;
use crate::admin::guard::Who;
use crate::verbs::call::{self, CallRow};
use crate::verbs::moment;

/// Calls that are read at one time.
const READ_AT_ONCE: u32 = 1_000;

const COLUMNS: [&str; 21] = [
    "id",
    "at",
    "key",
    "owner",
    "account",
    "model_asked",
    "model_served",
    "client",
    "path",
    "status",
    "outcome",
    "streamed",
    "attempts",
    "input",
    "output",
    "cache_read",
    "cache_write",
    "cost_usd",
    "first_byte_ms",
    "total_ms",
    "exactness",
];

/// How far the file has come.
enum Stage {
    Head,
    After(Option<CallId>),
    Done,
}

/// All calls that a filter lets through, of the last 24 hours unless asked otherwise, newest first.
#[utoipa::path(get, path = "/admin/calls.csv", tag = "calls", operation_id = "calls_csv",
    params(Filter, Span),
    responses((status = 200, description = "A table", content_type = "text/csv", body = String),
        (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn csv_file(
    who: Who,
    Sought(filter): Sought<Filter>,
    Sought(span): Sought<Span>,
) -> Result<Response, Problem> {
    let (filter, _) = filter.read(&who, &span).await?;
    let pieces = stream::try_unfold(Stage::Head, move |stage| {
        let (who, filter) = (who.clone(), filter.clone());
        async move {
            match stage {
                Stage::Head => Ok(Some((head(), Stage::After(None)))),
                Stage::After(before) => piece(&who, &filter, before).await.map(Some),
                Stage::Done => Ok::<_, std::io::Error>(None),
            }
        }
    });
    Ok((csv::headers("calls.csv"), Body::from_stream(pieces)).into_response())
}

fn head() -> Bytes {
    let mut table = Table::default();
    table.row(COLUMNS);
    table.into_bytes()
}

async fn piece(
    who: &Who,
    filter: &CallFilter,
    before: Option<CallId>,
) -> std::io::Result<(Bytes, Stage)> {
    let page = call::page(&who.app.store, filter, before, READ_AT_ONCE).await;
    // A file that breaks off is seen by who reads it; one that ends early is not.
    let page = page.map_err(std::io::Error::other)?;
    let mut table = Table::default();
    page.rows.iter().for_each(|row| write(&mut table, row));
    let next = page.next.map_or(Stage::Done, |next| Stage::After(Some(next)));
    Ok((table.into_bytes(), next))
}

fn write(table: &mut Table, row: &CallRow) {
    let number = |number: Option<u64>| number.map(|it| it.to_string()).unwrap_or_default();
    let exactness = serde_json::to_value(row.exactness).unwrap_or_default();
    table.row([
        row.id.to_string().as_str(),
        &moment::rfc3339(row.at),
        &row.key.name,
        &row.owner,
        &row.account.name,
        &row.model_asked,
        &row.model_served,
        &row.client,
        &row.path,
        &row.status.to_string(),
        row.outcome.as_str(),
        if row.streamed { "true" } else { "false" },
        &row.attempts.to_string(),
        &row.input.to_string(),
        &row.output.to_string(),
        &row.cache_read.to_string(),
        &row.cache_write.to_string(),
        &row.cost_usd.to_string(),
        &number(row.first_byte_ms),
        &row.total_ms.to_string(),
        exactness.as_str().unwrap_or_default(),
    ]);
}
