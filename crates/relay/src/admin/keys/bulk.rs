//! One thing done to several keys.

use relay_core::id::KeyId;
use relay_store::keys::StoredKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fields::KeyFields;
use super::life::RenewalFields;
use super::list::Filter;
use super::{change, missing, shortened};
use crate::admin::answer::{Change, Done, Note, Problem};
use crate::admin::given::Given;
use crate::admin::guard::Who;
use crate::verbs::key::{self, KeyEdit};

/// Keys that one request is about.
const BULK_MAX: usize = 1_000;

/// What is done to several keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = KeyAction)]
enum Action {
    /// They are switched on.
    Enable,
    /// They are switched off.
    Disable,
    /// They go to the trash.
    Remove,
    /// They come back from the trash.
    Restore,
    /// Their ends are moved.
    Renew,
    /// They get tags.
    Tag,
    /// Tags of them go.
    Untag,
    /// Fields of them are changed.
    Set,
}

/// What is to be done to which keys.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyBulk)]
pub(super) struct Bulk {
    /// Ids or names.
    #[serde(default)]
    ids: Option<Vec<String>>,
    /// All that match, as in the list.
    #[serde(default)]
    all_matching: Option<Filter>,
    /// What is done.
    action: Action,
    /// How they are renewed.
    #[serde(default)]
    renewal: Option<RenewalFields>,
    /// The tags that they get, or that go.
    #[serde(default)]
    tags: Vec<String>,
    /// What is set.
    #[serde(default)]
    set: Option<Box<KeyFields>>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeyBulkDone)]
pub(super) struct BulkDone {
    /// To how many keys.
    done: usize,
    /// To which it was not done, and why.
    failed: Vec<Failed>,
}

/// A key to which it was not done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeyBulkFailed)]
struct Failed {
    /// Which.
    #[schema(value_type = String)]
    id: KeyId,
    /// Its name.
    name: String,
    /// Why.
    message: String,
}

/// Does one thing to several keys, one after the other; tells to which it was not done.
#[utoipa::path(post, path = "/admin/keys/bulk", tag = "keys", operation_id = "keys_bulk",
    request_body = Bulk,
    responses((status = 200, body = BulkDone), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
pub(super) async fn bulk(who: Who, Given(asked): Given<Bulk>) -> Change<BulkDone> {
    asked.check()?;
    let found = asked.find(&who).await?;
    if found.is_empty() || found.len() > BULK_MAX {
        let why = format!("a bulk action is for 1 to {BULK_MAX} keys");
        return Err(Problem::invalid(why).at(asked.field()));
    }
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for stored in found {
        match act(&who, &asked, &stored).await {
            Ok(()) => done.push(stored.key.name),
            Err(problem) => failed.push(Failed {
                id: stored.key.id,
                message: problem.told(who.language),
                name: stored.key.name,
            }),
        }
    }
    who.app.edits.known(&who.app.store).await?;
    let names: Vec<&str> = done.iter().map(String::as_str).collect();
    let what = format!("{:?}", asked.action).to_lowercase();
    let detail = format!("{what}{}: {}", asked.told(), shortened(&names));
    let note = Note::of("", format!("{} keys", done.len())).with(detail);
    Ok(Done { note, answer: BulkDone { done: done.len(), failed } })
}

impl Bulk {
    fn field(&self) -> &'static str {
        if self.ids.is_some() { "ids" } else { "all_matching" }
    }

    /// What is wrong for all keys alike.
    fn check(&self) -> Result<(), Problem> {
        if self.ids.is_some() == self.all_matching.is_some() {
            let why = "name keys, or those that match: one of the two";
            return Err(Problem::invalid(why).at("ids"));
        }
        match self.action {
            Action::Tag | Action::Untag if self.tags.iter().all(|it| it.trim().is_empty()) => {
                Err(Problem::invalid("name a tag").at("tags"))
            }
            Action::Set => match &self.set {
                None => Err(Problem::invalid("name what is to be set").at("set")),
                Some(set) if set.name.is_some() => {
                    Err(Problem::invalid("a name is for one key").at("set.name"))
                }
                Some(_) => Ok(()),
            },
            Action::Renew => self.renewal().read().map(drop),
            _ => Ok(()),
        }
    }

    fn renewal(&self) -> RenewalFields {
        self.renewal.unwrap_or_default()
    }

    async fn find(&self, who: &Who) -> Result<Vec<StoredKey>, Problem> {
        if let Some(filter) = &self.all_matching {
            return filter.find(who).await;
        }
        let names = self.ids.as_deref().unwrap_or_default();
        if names.len() > BULK_MAX {
            let why = format!("a bulk action is for 1 to {BULK_MAX} keys");
            return Err(Problem::invalid(why).at("ids"));
        }
        let mut found: Vec<StoredKey> = Vec::with_capacity(names.len());
        for name in names {
            let store = &who.app.store;
            let stored = if self.action == Action::Restore {
                store.find_removed_key(name.trim()).await?
            } else {
                store.find_key(name.trim()).await?
            };
            let stored = stored.ok_or_else(|| missing(name).at("ids"))?;
            if !found.iter().any(|it| it.key.id == stored.key.id) {
                found.push(stored);
            }
        }
        Ok(found)
    }

    fn told(&self) -> String {
        match self.action {
            Action::Tag | Action::Untag => format!(" {}", self.tags.join(", ")),
            Action::Renew => format!(" ({})", self.renewal().told()),
            Action::Set => {
                self.set.as_ref().map(|it| format!(" ({})", it.told())).unwrap_or_default()
            }
            _ => String::new(),
        }
    }
}

async fn act(who: &Who, asked: &Bulk, stored: &StoredKey) -> Result<(), Problem> {
    let (store, now) = (&who.app.store, who.now());
    let id = stored.key.id.to_string();
    match asked.action {
        Action::Enable => drop(key::enable(store, &id, now).await?),
        Action::Disable => drop(key::disable(store, &id, now).await?),
        Action::Remove => drop(key::remove(store, &id, now).await?),
        Action::Restore => drop(key::restore(store, &id, now).await?),
        Action::Renew => drop(key::renew(store, &id, asked.renewal().read()?, now).await?),
        Action::Tag | Action::Untag => {
            let mut tags = stored.key.tags.clone();
            tags.retain(|tag| !asked.tags.iter().any(|it| it.trim() == tag));
            if asked.action == Action::Tag {
                tags.extend(asked.tags.iter().cloned());
            }
            let edit = KeyEdit { tags: Some(tags), ..KeyEdit::default() };
            key::set(store, &id, &edit, now).await?;
        }
        Action::Set => {
            if let Some(fields) = asked.set.as_deref() {
                change(who, stored, fields, "set.").await?;
            }
        }
    }
    Ok(())
}
