//! The models that accounts serve.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use relay_core::id::AccountId;
use relay_core::model::ModelFamily;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Read;
use super::guard::Who;
use crate::models::{self, OfAccount};

/// Aliases that are told of one model.
const ALIASES_MAX: usize = 50;

/// The address of models.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list))
}

/// A model that accounts serve.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServedModel)]
struct ModelItem {
    /// The name under which it is asked for.
    model: String,
    /// What people call it.
    display_name: String,
    /// Its family.
    family: String,
    /// Whose accounts serve it.
    service: &'static str,
    /// These accounts, by name.
    accounts: Vec<ModelAccount>,
    /// Other names for it, by the rules of keys.
    aliases: BTreeSet<String>,
    /// Whether it has a price of its own.
    priced: bool,
}

/// An account that serves a model.
#[derive(Debug, Serialize, ToSchema)]
struct ModelAccount {
    /// Identity.
    #[schema(value_type = String)]
    id: AccountId,
    /// The name.
    name: String,
    /// What the provider is asked for, where that is another name.
    asks_for: Option<String>,
}

/// The models that accounts serve, by name. Asks those accounts for their lists that were not
/// asked within the last hour, for at most three seconds.
#[utoipa::path(get, path = "/admin/models", tag = "prices", operation_id = "models_list",
    responses((status = 200, body = Vec<ModelItem>)))]
async fn list(who: Who) -> Read<Vec<ModelItem>> {
    let app = &who.app;
    let aliases = aliases(&who);
    let prices = app.prices.load_full();
    let mut items: BTreeMap<(String, &'static str), ModelItem> = BTreeMap::new();
    for OfAccount { member, models } in models::of_accounts(app).await {
        let account = &member.account;
        let service = account.kind.service();
        for model in models {
            let asked = account.upstream_model(&model.id).filter(|name| *name != model.id);
            let served = ModelAccount {
                id: account.id,
                name: account.name.clone(),
                asks_for: asked.map(str::to_owned),
            };
            let known = items.entry((model.id.clone(), service.as_str()));
            let item = known.or_insert_with(|| ModelItem {
                family: ModelFamily::of(&model.id).as_str().to_owned(),
                service: service.as_str(),
                accounts: Vec::new(),
                aliases: aliases.get(&model.id).cloned().unwrap_or_default(),
                priced: prices.is_known(service, &model.id),
                display_name: model.display_name,
                model: model.id,
            });
            item.accounts.push(served);
        }
    }
    let mut items: Vec<_> = items.into_values().collect();
    for item in &mut items {
        item.accounts.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        item.accounts.dedup_by_key(|account| account.id);
    }
    Ok(Json(items))
}

/// What keys call models.
fn aliases(who: &Who) -> BTreeMap<String, BTreeSet<String>> {
    let mut aliases: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for holder in who.app.keys.holders() {
        for alias in &holder.key.rules.aliases {
            let names = aliases.entry(alias.to.clone()).or_default();
            if names.len() < ALIASES_MAX {
                names.insert(alias.from.as_str().to_owned());
            }
        }
    }
    aliases
}
