//! Accounts: everything that the command line does with them, and what a page shows of them.

mod bulk;
mod fields;
mod files;
mod list;
mod past;
mod test;
mod view;

use axum::Json;
use axum::extract::Path;
use relay_store::accounts::StoredAccount;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Change, Code, Done, Note, Problem, Read};
use super::given::Given;
use super::guard::Who;
use crate::verbs::VerbError;
use crate::verbs::account::{self, Selection};

pub(super) use self::fields::{AccountFields, By, Place, proxy};
use self::view::AccountDetail;
pub(super) use self::view::{AccountItem, item, views};

/// The addresses of accounts.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list::list, add))
        .routes(routes!(show, edit, remove))
        .routes(routes!(bulk::bulk))
        .routes(routes!(bulk::pause))
        .routes(routes!(bulk::resume))
        .routes(routes!(bulk::reset))
        .routes(routes!(past::ability))
        .routes(routes!(past::windows))
        .routes(routes!(test::test))
        .routes(routes!(files::export))
        .merge(files::import_routes())
}

/// All of an account, with what befell it lately.
#[utoipa::path(get, path = "/admin/accounts/{account}", tag = "accounts",
    operation_id = "accounts_show",
    params(("account" = String, Path, description = "Id or name")),
    responses((status = 200, body = AccountDetail), (status = 404, body = Problem)))]
async fn show(who: Who, Path(name): Path<String>) -> Read<AccountDetail> {
    Ok(Json(AccountDetail::of(&who, &stored(&who, &name).await?).await?))
}

/// Adds an account that has its secret. One that is signed in to is begun at POST /admin/logins.
#[utoipa::path(post, path = "/admin/accounts", tag = "accounts", operation_id = "accounts_add",
    request_body = AccountFields,
    responses((status = 200, body = AccountItem), (status = 400, body = Problem),
        (status = 409, body = Problem)))]
async fn add(who: Who, Given(fields): Given<AccountFields>) -> Change<AccountItem> {
    let new = fields.to_new(By::Secret, place(&who, ""))?;
    let groups = fields.groups().unwrap_or_default();
    let added = account::add(&who.app.store, new, &groups, who.now()).await;
    let id = added.map_err(|error| at_fault(error, "groups"))?;
    let view = item(&who, &id.to_string()).await?;
    Ok(Done { note: view.note().with(fields.told()), answer: view })
}

/// Changes fields of an account.
#[utoipa::path(patch, path = "/admin/accounts/{account}", tag = "accounts",
    operation_id = "accounts_edit", request_body = AccountFields,
    params(("account" = String, Path, description = "Id or name")),
    responses((status = 200, body = AccountItem), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn edit(
    who: Who,
    Path(name): Path<String>,
    Given(fields): Given<AccountFields>,
) -> Change<AccountItem> {
    let stored = stored(&who, &name).await?;
    change(&who, &stored, &fields, "").await?;
    let view = item(&who, &stored.account.id.to_string()).await?;
    Ok(Done { note: view.note().with(fields.told()), answer: view })
}

/// Removes an account and its secrets; its history stays. Refused while keys are bound to it.
#[utoipa::path(delete, path = "/admin/accounts/{account}", tag = "accounts",
    operation_id = "accounts_remove",
    params(("account" = String, Path, description = "Id or name")),
    responses((status = 200, body = AccountItem), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
async fn remove(who: Who, Path(name): Path<String>) -> Change<AccountItem> {
    let gone = item(&who, &name).await?;
    account::remove(&who.app.store, &Selection::one(&name), who.now()).await?;
    Ok(Done { note: gone.note(), answer: gone })
}

/// Changes an account as the fields say.
async fn change(
    who: &Who,
    stored: &StoredAccount,
    fields: &AccountFields,
    prefix: &str,
) -> Result<(), Problem> {
    let (store, now) = (&who.app.store, who.now());
    let id = stored.account.id.to_string();
    let one = Selection::one(&id);
    let edit = fields.to_edit(stored, place(who, prefix))?;
    let groups = fields.groups();
    if let Some(groups) = &groups {
        // Before anything is changed.
        let check = account::check_groups(store, groups).await;
        check.map_err(|error| at_fault(error, &format!("{prefix}groups")))?;
    }
    let set = account::set(store, &one, edit, now).await;
    set.map_err(|error| at_fault(error, &format!("{prefix}name")))?;
    if let Some(groups) = &groups {
        account::set_groups(store, &id, groups, now).await?;
    }
    match fields.enabled() {
        Some(true) => drop(account::resume(store, &one, now).await?),
        Some(false) => drop(account::pause(store, &one, now).await?),
        None => {}
    }
    Ok(())
}

/// The account that is meant.
async fn stored(who: &Who, id_or_name: &str) -> Result<StoredAccount, Problem> {
    let found = who.app.store.find_account(id_or_name.trim()).await?;
    let why = || format!("there is no account {id_or_name:?}");
    found.ok_or_else(|| Problem::new(Code::NotFound, why()))
}

fn place<'a>(who: &'a Who, prefix: &'a str) -> Place<'a> {
    Place { prefix, zone: &who.app.settings.time_zone, now: who.now() }
}

/// A refusal by the records, which names or something else has to do with.
fn at_fault(error: VerbError, field: &str) -> Problem {
    match error {
        VerbError::Taken(_) => Problem::from(error).at("name"),
        _ => Problem::from(error).at(field),
    }
}

impl AccountItem {
    /// What the log of changes calls it.
    fn note(&self) -> Note {
        Note::of(self.account.id, &self.account.name)
    }
}
