//! The log of changes: who changed what, and from where.

use std::collections::BTreeMap;

use axum::Json;
use relay_core::clock::Timestamp;
use relay_store::audit::{AuditFilter, AuditLine, Door};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Problem, Read};
use super::given::Sought;
use super::guard::Who;
use super::listed::{Listed, Paging};
use crate::verbs::moment;

/// The address of the log.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which lines are sought.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct AuditQuery {
    /// Words that stand anywhere in a line.
    q: Option<String>,
    /// Who did it.
    actor: Option<String>,
    /// From when on.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// Before when.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
    /// Which page, from 1.
    page: Option<usize>,
    /// How many stand on it: 25 unless given, at most 100.
    per_page: Option<usize>,
}

/// By which door a change came.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DoorView {
    /// The admin page.
    Page,
    /// A script with a token.
    Token,
    /// The command line.
    CommandLine,
}

/// A line of the log.
#[derive(Debug, Serialize, ToSchema)]
struct AuditView {
    /// Its id.
    id: String,
    /// When.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who did it: an administrator, a token, or a user of the machine.
    actor: String,
    /// By which door.
    door: DoorView,
    /// From where; empty for the machine itself.
    address: String,
    /// What was done, as this document calls it: `keys_rotate`.
    verb: String,
    /// To which: an id, or nothing.
    subject: String,
    /// Its name at that time.
    name: String,
    /// Which fields were set to what, with secrets left out.
    detail: String,
}

/// The log of changes, the newest first.
#[utoipa::path(get, path = "/admin/audit", tag = "audit", operation_id = "audit_list",
    params(AuditQuery), responses((status = 200, body = Listed<AuditView>)))]
async fn list(who: Who, Sought(query): Sought<AuditQuery>) -> Read<Listed<AuditView>> {
    let named = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let at =
        |text: Option<String>, field| named(text).map(|text| moment_of(&text, field)).transpose();
    let sought = AuditFilter {
        actor: named(query.actor),
        from: at(query.from, "from")?,
        to: at(query.to, "to")?,
        text: named(query.q).map(|text| text.trim().to_owned()),
    };
    let paging = Paging { page: query.page, per_page: query.per_page };
    let place = (paging.offset(), paging.size());
    let (lines, total) = who.app.store.audit_lines(&sought, place).await?;
    let items = lines.into_iter().map(AuditView::from).collect();
    Ok(Json(Listed { items, total, counts: BTreeMap::new() }))
}

/// A moment as programs write it.
pub(super) fn moment_of(text: &str, field: &str) -> Result<Timestamp, Problem> {
    let moment: Result<jiff::Timestamp, _> = text.trim().parse();
    let wrong = |_| Problem::invalid("a moment is written as in 2026-12-31T16:00:00Z").at(field);
    moment.map(|at| Timestamp::from_millis(at.as_millisecond())).map_err(wrong)
}

impl From<AuditLine> for AuditView {
    fn from(line: AuditLine) -> Self {
        let deed = line.deed;
        Self {
            id: line.id.to_string(),
            at: line.at,
            actor: deed.actor,
            door: match deed.door {
                Door::Page => DoorView::Page,
                Door::Token => DoorView::Token,
                Door::CommandLine => DoorView::CommandLine,
            },
            address: deed.address,
            verb: deed.verb,
            subject: deed.subject,
            name: deed.name,
            detail: deed.detail,
        }
    }
}
