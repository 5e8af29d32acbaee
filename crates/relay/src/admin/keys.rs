//! Keys: everything that the command line does with them, and what a page shows of them.

mod bulk;
mod fields;
mod item;
mod life;
mod list;
mod suggest;
mod sums;

use axum::Json;
use axum::extract::Path;
use relay_core::id::KeyId;
use relay_store::keys::StoredKey;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::fields::KeyFields;
pub(super) use self::item::{KeyItem, KeyState};
pub(super) use self::sums::KeySums;
use super::answer::{Change, Code, Done, Note, Problem, Read};
use super::given::Given;
use super::guard::Who;
use crate::verbs::key::{self, IssuedKey};

/// The addresses of keys.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list::list, add))
        .routes(routes!(suggest::suggestions))
        .routes(routes!(bulk::bulk))
        .routes(routes!(show, edit, remove))
        .merge(life::routes())
}

/// A key just given out.
#[derive(Debug, Serialize, ToSchema)]
struct IssuedItem {
    /// The key.
    #[serde(flatten)]
    item: KeyItem,
    /// The key as clients send it: this is the only time that it is shown.
    secret: String,
}

/// Keys just given out.
#[derive(Debug, Serialize, ToSchema)]
struct Issued {
    /// Each of them, in order.
    keys: Vec<IssuedItem>,
}

/// A key, with how its limits stand and what was refused of it within the last day.
#[utoipa::path(get, path = "/admin/keys/{key}", tag = "keys", operation_id = "keys_show",
    params(("key" = String, Path, description = "Id or name; the trash is looked through last")),
    responses((status = 200, body = KeyItem), (status = 404, body = Problem)))]
async fn show(who: Who, Path(name): Path<String>) -> Read<KeyItem> {
    let found = match who.app.store.find_key(name.trim()).await? {
        Some(found) => Some(found),
        None => who.app.store.find_removed_key(name.trim()).await?,
    };
    let found = found.ok_or_else(|| missing(&name))?;
    let (id, app) = (found.key.id, &who.app);
    let mut item = one(&who, found).await?;
    item.key.refused = Some(key::refused(&app.store, id, who.now()).await?);
    Ok(Json(item))
}

/// Gives out a key, or several. Their secrets are in this answer and nowhere else.
#[utoipa::path(post, path = "/admin/keys", tag = "keys", operation_id = "keys_add",
    request_body = KeyFields,
    responses((status = 200, body = Issued), (status = 400, body = Problem),
        (status = 409, body = Problem)))]
async fn add(who: Who, Given(fields): Given<KeyFields>) -> Change<Issued> {
    let addition = fields.to_addition(&fields::Place::of(&who, ""))?;
    let (app, prefix) = (&who.app, &who.app.settings.api_key_prefix);
    let issued = key::add(&app.store, &addition, prefix, who.now()).await;
    // From here on nothing may fail: the secrets exist nowhere else.
    let issued = issued.map_err(|error| fields::at_fault(error, ""))?;
    let _ = app.edits.known(&app.store).await;
    let names: Vec<&str> = issued.iter().map(|it| it.view.name.as_str()).collect();
    let (id, name) = match issued.as_slice() {
        [one] => (one.view.id.to_string(), one.view.name.clone()),
        several => (String::new(), format!("{} keys", several.len())),
    };
    let detail = format!("{}; {}", shortened(&names), fields.told());
    let note = Note::of(id, name).with(detail);
    let shown = |IssuedKey { view, secret }| IssuedItem {
        item: KeyItem::unused(view),
        secret: secret.expose().to_owned(),
    };
    Ok(Done { note, answer: Issued { keys: issued.into_iter().map(shown).collect() } })
}

/// Changes fields of a key.
#[utoipa::path(patch, path = "/admin/keys/{key}", tag = "keys", operation_id = "keys_edit",
    request_body = KeyFields, params(("key" = String, Path, description = "Id or name")),
    responses((status = 200, body = KeyItem), (status = 400, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn edit(
    who: Who,
    Path(name): Path<String>,
    Given(fields): Given<KeyFields>,
) -> Change<KeyItem> {
    let stored = stored(&who, &name).await?;
    let id = change(&who, &stored, &fields, "").await?;
    changed(&who, id, fields.told()).await
}

/// Removes a key: it goes to the trash, from where it can be restored.
#[utoipa::path(delete, path = "/admin/keys/{key}", tag = "keys", operation_id = "keys_remove",
    params(("key" = String, Path, description = "Id or name")),
    responses((status = 200, body = KeyItem), (status = 404, body = Problem)))]
async fn remove(who: Who, Path(name): Path<String>) -> Change<KeyItem> {
    let id = key::remove(&who.app.store, &name, who.now()).await?;
    changed(&who, id, String::new()).await
}

/// Changes a key as the fields say.
async fn change(
    who: &Who,
    stored: &StoredKey,
    fields: &KeyFields,
    prefix: &str,
) -> Result<KeyId, Problem> {
    let edit = fields.to_edit(&stored.key, &fields::Place::of(who, prefix))?;
    let id = stored.key.id.to_string();
    let set = key::set(&who.app.store, &id, &edit, who.now()).await;
    set.map_err(|error| fields::at_fault(error, prefix))
}

/// The key that is meant, unless it was removed.
async fn stored(who: &Who, id_or_name: &str) -> Result<StoredKey, Problem> {
    let found = who.app.store.find_key(id_or_name.trim()).await?;
    found.ok_or_else(|| missing(id_or_name))
}

fn missing(id_or_name: &str) -> Problem {
    Problem::new(Code::NotFound, format!("there is no key {id_or_name:?}"))
}

/// A key as it stands now.
async fn one(who: &Who, stored: StoredKey) -> Result<KeyItem, Problem> {
    let id = stored.key.id;
    let mut items = item::items(who, vec![stored]).await?;
    items.pop().ok_or_else(|| missing(&id.to_string()))
}

/// A key that was just changed, once the running relay knows of it.
async fn changed(who: &Who, id: KeyId, detail: String) -> Change<KeyItem> {
    let app = &who.app;
    app.edits.known(&app.store).await?;
    let stored = app.store.keys_of(&[id]).await?.pop();
    let item = one(who, stored.ok_or_else(|| missing(&id.to_string()))?).await?;
    Ok(Done { note: Note::of(id, &item.key.name).with(detail), answer: item })
}

/// Names for the log, the first few of many.
fn shortened(names: &[&str]) -> String {
    const NAMED_MAX: usize = 20;
    let first = names.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED_MAX) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
