//! Groups of accounts.

use axum::Json;
use axum::extract::Path;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Change, Done, Note, Problem, Read};
use super::guard::Who;
use crate::verbs::account::Selection;
use crate::verbs::group::{self, GroupView};

/// The addresses of groups.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(remove))
        .routes(routes!(join, leave))
}

/// A group to be made.
#[derive(Debug, Deserialize, ToSchema)]
struct NewGroup {
    /// Its name; unique.
    name: String,
}

/// Every group.
#[utoipa::path(get, path = "/admin/groups", tag = "groups", operation_id = "groups_list",
    responses((status = 200, body = Vec<GroupView>)))]
async fn list(who: Who) -> Read<Vec<GroupView>> {
    Ok(Json(group::list(&who.app.store).await?))
}

/// Makes a group.
#[utoipa::path(post, path = "/admin/groups", tag = "groups", operation_id = "groups_add",
    request_body = NewGroup, responses((status = 200, body = GroupView), (status = 409, body = Problem)))]
async fn add(who: Who, Json(new): Json<NewGroup>) -> Change<GroupView> {
    let id = group::add(&who.app.store, &new.name, who.now()).await?;
    changed(&who, &id.to_string()).await
}

/// Removes a group; its accounts stay.
#[utoipa::path(delete, path = "/admin/groups/{group}", tag = "groups",
    operation_id = "groups_remove", params(("group" = String, Path, description = "Id or name")),
    responses((status = 200, body = GroupView), (status = 404, body = Problem)))]
async fn remove(who: Who, Path(group): Path<String>) -> Change<GroupView> {
    let gone = group::show(&who.app.store, &group).await?;
    group::remove(&who.app.store, &group, who.now()).await?;
    Ok(Done { note: Note::of(gone.id, &gone.name), answer: gone })
}

/// Puts an account into a group.
#[utoipa::path(put, path = "/admin/groups/{group}/accounts/{account}", tag = "groups",
    operation_id = "groups_join",
    params(("group" = String, Path, description = "Id or name"),
        ("account" = String, Path, description = "Id or name")),
    responses((status = 200, body = GroupView), (status = 404, body = Problem)))]
async fn join(who: Who, Path((group, account)): Path<(String, String)>) -> Change<GroupView> {
    let joining = Selection::one(&account);
    group::join(&who.app.store, &group, &joining, who.now()).await?;
    changed(&who, &group).await
}

/// Takes an account out of a group.
#[utoipa::path(delete, path = "/admin/groups/{group}/accounts/{account}", tag = "groups",
    operation_id = "groups_leave",
    params(("group" = String, Path, description = "Id or name"),
        ("account" = String, Path, description = "Id or name")),
    responses((status = 200, body = GroupView), (status = 404, body = Problem)))]
async fn leave(who: Who, Path((group, account)): Path<(String, String)>) -> Change<GroupView> {
    let leaving = Selection::one(&account);
    group::leave(&who.app.store, &group, &leaving, who.now()).await?;
    changed(&who, &group).await
}

async fn changed(who: &Who, group: &str) -> Change<GroupView> {
    let view = group::show(&who.app.store, group).await?;
    let detail = format!("accounts: {}", view.accounts.join(", "));
    Ok(Done { note: Note::of(view.id, &view.name).with(detail), answer: view })
}
