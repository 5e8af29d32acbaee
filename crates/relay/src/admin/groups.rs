//! Groups of accounts.

use std::collections::HashMap;

use axum::Json;
use axum::extract::Path;
use relay_core::clock::Timestamp;
use relay_core::id::{AccountId, GroupId};
use relay_core::key::BindingTarget;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::accounts::views;
use super::answer::{Change, Code, Done, Note, Problem, Read};
use super::given::Given;
use super::guard::Who;
use crate::verbs::account::{AccountState, AccountView, Selection};
use crate::verbs::{group, moment};

/// The addresses of groups.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(remove))
        .routes(routes!(join, leave))
}

/// A group to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewGroup {
    /// Its name; unique.
    name: String,
}

/// A group with its accounts.
#[derive(Debug, Serialize, ToSchema)]
struct GroupItem {
    /// Identity.
    #[schema(value_type = String)]
    id: GroupId,
    /// The name.
    name: String,
    /// The accounts that belong to it.
    accounts: Vec<GroupAccount>,
    /// How many keys are bound to it.
    keys: usize,
    /// When it was made.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// An account of a group.
#[derive(Debug, Serialize, ToSchema)]
struct GroupAccount {
    /// Identity.
    #[schema(value_type = String)]
    id: AccountId,
    /// The name.
    name: String,
    /// How it is reached.
    kind: &'static str,
    /// Whether it serves calls.
    state: AccountState,
}

/// Every group.
#[utoipa::path(get, path = "/admin/groups", tag = "groups", operation_id = "groups_list",
    responses((status = 200, body = Vec<GroupItem>)))]
async fn list(who: Who) -> Read<Vec<GroupItem>> {
    Ok(Json(items(&who).await?))
}

/// Makes a group.
#[utoipa::path(post, path = "/admin/groups", tag = "groups", operation_id = "groups_add",
    request_body = NewGroup,
    responses((status = 200, body = GroupItem), (status = 400, body = Problem),
        (status = 409, body = Problem)))]
async fn add(who: Who, Given(new): Given<NewGroup>) -> Change<GroupItem> {
    let added = group::add(&who.app.store, &new.name, who.now()).await;
    let id = added.map_err(|error| Problem::from(error).at("name"))?;
    changed(&who, id).await
}

/// Removes a group; its accounts stay. Refused while keys are bound to it.
#[utoipa::path(delete, path = "/admin/groups/{group}", tag = "groups",
    operation_id = "groups_remove", params(("group" = String, Path, description = "Id or name")),
    responses((status = 200, body = GroupItem), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
async fn remove(who: Who, Path(group): Path<String>) -> Change<GroupItem> {
    let id = group::show(&who.app.store, &group).await?.id;
    let gone = one(&who, id).await?;
    group::remove(&who.app.store, &id.to_string(), who.now()).await?;
    Ok(Done { note: Note::of(gone.id, &gone.name), answer: gone })
}

/// Puts an account into a group.
#[utoipa::path(put, path = "/admin/groups/{group}/accounts/{account}", tag = "groups",
    operation_id = "groups_join",
    params(("group" = String, Path, description = "Id or name"),
        ("account" = String, Path, description = "Id or name")),
    responses((status = 200, body = GroupItem), (status = 404, body = Problem)))]
async fn join(who: Who, Path((group, account)): Path<(String, String)>) -> Change<GroupItem> {
    let joining = Selection::one(&account);
    let id = group::join(&who.app.store, &group, &joining, who.now()).await?;
    changed(&who, id).await
}

/// Takes an account out of a group.
#[utoipa::path(delete, path = "/admin/groups/{group}/accounts/{account}", tag = "groups",
    operation_id = "groups_leave",
    params(("group" = String, Path, description = "Id or name"),
        ("account" = String, Path, description = "Id or name")),
    responses((status = 200, body = GroupItem), (status = 404, body = Problem)))]
async fn leave(who: Who, Path((group, account)): Path<(String, String)>) -> Change<GroupItem> {
    let leaving = Selection::one(&account);
    let id = group::leave(&who.app.store, &group, &leaving, who.now()).await?;
    changed(&who, id).await
}

async fn items(who: &Who) -> Result<Vec<GroupItem>, Problem> {
    let accounts: HashMap<AccountId, AccountView> =
        views(who, &Selection::All).await?.into_iter().map(|view| (view.id, view)).collect();
    let mut keys: HashMap<GroupId, usize> = HashMap::new();
    for holder in who.app.keys.holders() {
        let mut bound: Vec<GroupId> = holder
            .key
            .bindings
            .iter()
            .filter_map(|binding| match binding.target {
                BindingTarget::Group(id) => Some(id),
                BindingTarget::Account(_) => None,
            })
            .collect();
        // A key that is bound to it for two services is one key.
        bound.sort();
        bound.dedup();
        for group in bound {
            *keys.entry(group).or_default() += 1;
        }
    }
    let account = |id: &AccountId| {
        let AccountView { id, name, kind, state, .. } = accounts.get(id)?;
        Some(GroupAccount { id: *id, name: name.clone(), kind: kind.as_str(), state: *state })
    };
    let groups = who.app.store.groups().await?.into_iter();
    let item = groups.map(|group| GroupItem {
        accounts: group.accounts.iter().filter_map(account).collect(),
        keys: keys.get(&group.id).copied().unwrap_or_default(),
        id: group.id,
        name: group.name,
        created_at: group.created_at,
    });
    Ok(item.collect())
}

async fn one(who: &Who, id: GroupId) -> Result<GroupItem, Problem> {
    let found = items(who).await?.into_iter().find(|group| group.id == id);
    found.ok_or_else(|| Problem::new(Code::NotFound, format!("there is no group {id:?}")))
}

async fn changed(who: &Who, id: GroupId) -> Change<GroupItem> {
    let item = one(who, id).await?;
    let names: Vec<&str> = item.accounts.iter().map(|it| it.name.as_str()).collect();
    let detail = format!("accounts: {}", names.join(", "));
    Ok(Done { note: Note::of(item.id, &item.name).with(detail), answer: item })
}
