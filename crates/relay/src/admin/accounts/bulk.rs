//! Switching accounts, one or many at a time.

use axum::extract::Path;
use relay_core::id::AccountId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fields::AccountFields;
use super::list::Filter;
use super::view::{AccountItem, item, views};
use super::{at_fault, change, stored};
use crate::admin::answer::{Change, Done, Note, Problem};
use crate::admin::given::Given;
use crate::admin::guard::Who;
use crate::verbs::account::{self, Selection};
use crate::verbs::group;

/// Accounts that one request is about.
const BULK_MAX: usize = 500;

/// What is done to several accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// They are switched off.
    Pause,
    /// They are switched on.
    Resume,
    /// Their rests are cleared.
    Reset,
    /// They are removed.
    Remove,
    /// They join a group.
    Join,
    /// They leave a group.
    Leave,
    /// Fields of them are changed.
    Set,
}

/// What is to be done to which accounts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Bulk {
    /// Ids or names.
    #[serde(default)]
    ids: Option<Vec<String>>,
    /// All that match, as in the list.
    #[serde(default)]
    all_matching: Option<Filter>,
    /// What is done.
    action: Action,
    /// The group that they join or leave, by id or name.
    #[serde(default)]
    group: Option<String>,
    /// What is set.
    #[serde(default)]
    set: Option<Box<AccountFields>>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BulkDone {
    /// To how many accounts.
    done: usize,
    /// To which.
    #[schema(value_type = Vec<String>)]
    ids: Vec<AccountId>,
}

/// Does one thing to several accounts: to all of them, or to none if one cannot be found.
#[utoipa::path(post, path = "/admin/accounts/bulk", tag = "accounts",
    operation_id = "accounts_bulk", request_body = Bulk,
    responses((status = 200, body = BulkDone), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
pub(super) async fn bulk(who: Who, Given(asked): Given<Bulk>) -> Change<BulkDone> {
    let found = match (&asked.ids, &asked.all_matching) {
        (Some(ids), None) => views(&who, &Selection::Named(ids.clone())).await,
        (None, Some(filter)) => filter.find(&who).await,
        _ => {
            let why = "name accounts, or those that match: one of the two";
            return Err(Problem::invalid(why).at("ids"));
        }
    };
    let field = if asked.ids.is_some() { "ids" } else { "all_matching" };
    let found = found.map_err(|problem| problem.at(field))?;
    if found.is_empty() || found.len() > BULK_MAX {
        let why = format!("a bulk action is for 1 to {BULK_MAX} accounts");
        return Err(Problem::invalid(why).at(field));
    }
    let ids: Vec<AccountId> = found.iter().map(|view| view.id).collect();
    act(&who, &asked, &ids).await?;
    let names: Vec<&str> = found.iter().map(|view| view.name.as_str()).collect();
    let what = format!("{:?}", asked.action).to_lowercase();
    let set = asked.set.as_ref().map(|set| format!(" ({})", set.told())).unwrap_or_default();
    let detail = format!("{what}{set}: {}", names.join(", "));
    let note = Note::of("", asked.group.unwrap_or_default()).with(detail);
    Ok(Done { note, answer: BulkDone { done: ids.len(), ids } })
}

async fn act(who: &Who, asked: &Bulk, ids: &[AccountId]) -> Result<(), Problem> {
    let (store, now) = (&who.app.store, who.now());
    let those = Selection::Named(ids.iter().map(ToString::to_string).collect());
    let group = || {
        let named = asked.group.as_deref().map(str::trim).filter(|name| !name.is_empty());
        named.ok_or_else(|| Problem::invalid("name a group").at("group"))
    };
    match asked.action {
        Action::Pause => drop(account::pause(store, &those, now).await?),
        Action::Resume => drop(account::resume(store, &those, now).await?),
        Action::Reset => drop(cleared(who, &those).await?),
        Action::Remove => drop(account::remove(store, &those, now).await?),
        Action::Join => {
            let joined = group::join(store, group()?, &those, now).await;
            joined.map_err(|error| Problem::from(error).at("group"))?;
        }
        Action::Leave => {
            let left = group::leave(store, group()?, &those, now).await;
            left.map_err(|error| Problem::from(error).at("group"))?;
        }
        Action::Set => set(who, asked.set.as_deref(), ids).await?,
    }
    Ok(())
}

/// Changes the same fields of several accounts, after a look whether each of them can be changed.
async fn set(who: &Who, fields: Option<&AccountFields>, ids: &[AccountId]) -> Result<(), Problem> {
    let fields = fields.ok_or_else(|| Problem::invalid("name what is to be set").at("set"))?;
    let place = super::place(who, "set.");
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let stored = stored(who, &id.to_string()).await?;
        let edit = fields.to_edit(&stored, place)?;
        if ids.len() > 1 && (edit.fields.name.is_some() || edit.secret.is_some()) {
            let why = "a name and a secret are for one account: name that one";
            return Err(Problem::invalid(why).at("set"));
        }
        found.push(stored);
    }
    for stored in &found {
        change(who, stored, fields, "set.").await?;
    }
    Ok(())
}

/// Clears what was noted of accounts: in the records, and at once in memory, so that what is
/// answered is so.
async fn cleared(who: &Who, those: &Selection) -> Result<Vec<AccountId>, Problem> {
    let done = account::reset(&who.app.store, those, who.now()).await?;
    let members = done.iter().filter_map(|id| who.app.roster.find(*id));
    members.for_each(|member| member.reset());
    Ok(done)
}

/// Switches an account off until an operator resumes it. Calls under way go on.
#[utoipa::path(post, path = "/admin/accounts/{account}/pause", tag = "accounts",
    operation_id = "accounts_pause",
    params(("account" = String, Path, description = "Id or name")),
    responses((status = 200, body = AccountItem), (status = 404, body = Problem)))]
pub(super) async fn pause(who: Who, Path(name): Path<String>) -> Change<AccountItem> {
    let done = account::pause(&who.app.store, &Selection::one(&name), who.now()).await;
    shown(&who, &done.map_err(|error| at_fault(error, "account"))?).await
}

/// Switches a paused account on again.
#[utoipa::path(post, path = "/admin/accounts/{account}/resume", tag = "accounts",
    operation_id = "accounts_resume",
    params(("account" = String, Path, description = "Id or name")),
    responses((status = 200, body = AccountItem), (status = 404, body = Problem)))]
pub(super) async fn resume(who: Who, Path(name): Path<String>) -> Change<AccountItem> {
    let done = account::resume(&who.app.store, &Selection::one(&name), who.now()).await;
    shown(&who, &done.map_err(|error| at_fault(error, "account"))?).await
}

/// Clears every rest of an account.
#[utoipa::path(post, path = "/admin/accounts/{account}/reset", tag = "accounts",
    operation_id = "accounts_reset",
    params(("account" = String, Path, description = "Id or name")),
    responses((status = 200, body = AccountItem), (status = 404, body = Problem)))]
pub(super) async fn reset(who: Who, Path(name): Path<String>) -> Change<AccountItem> {
    let done = cleared(&who, &Selection::one(&name)).await?;
    shown(&who, &done).await
}

async fn shown(who: &Who, done: &[AccountId]) -> Change<AccountItem> {
    let id = done.first().map(ToString::to_string).unwrap_or_default();
    let view = item(who, &id).await?;
    Ok(Done { note: view.note(), answer: view })
}
