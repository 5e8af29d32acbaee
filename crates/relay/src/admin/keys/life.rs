//! The life of a key: switched off and on, renewed, given another secret, brought back.

use std::time::Duration;

use axum::extract::Path;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::changed;
use super::item::KeyItem;
use crate::admin::answer::{Change, Done, Problem};
use crate::admin::given::Given;
use crate::admin::guard::Who;
use crate::verbs::key::{self, Renewal, RenewedFrom};
use crate::verbs::moment;

/// The longest that a key is renewed for at once, and that an old secret works on.
const DAYS_MAX: u32 = 3_650;
const OVERLAP_MAX: Duration = Duration::from_hours(90 * 24);

pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(enable))
        .routes(routes!(disable))
        .routes(routes!(restore))
        .routes(routes!(renew))
        .routes(routes!(rotate))
}

/// How a key is renewed.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RenewalFields {
    /// For how many days; 30 unless given.
    #[serde(default)]
    days: Option<u32>,
    /// From when on: from its end, or from now if that is `later`; from `today`; from its `expiry`.
    #[serde(default)]
    #[schema(inline)]
    from: From,
}

/// From when on a key is renewed.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum From {
    /// From its end, or from now if that is later.
    #[default]
    Later,
    /// From now.
    Today,
    /// From its end.
    Expiry,
}

impl RenewalFields {
    /// As the verb takes it.
    pub(super) fn read(self) -> Result<Renewal, Problem> {
        const DAYS: u32 = 30;
        let days = self.days.unwrap_or(DAYS);
        if !(1..=DAYS_MAX).contains(&days) {
            let why = format!("a key is renewed for 1 to {DAYS_MAX} days");
            return Err(Problem::invalid(why).at("days"));
        }
        let from = match self.from {
            From::Later => RenewedFrom::Later,
            From::Today => RenewedFrom::Today,
            From::Expiry => RenewedFrom::Expiry,
        };
        Ok(Renewal { span: Duration::from_hours(24) * days, from })
    }

    pub(super) fn told(self) -> String {
        format!("days: {}; from: {:?}", self.days.unwrap_or(30), self.from).to_lowercase()
    }
}

/// How a key gets another secret.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// How long the old secret goes on working; 0 ends it at once.
    #[serde(default)]
    overlap_seconds: u64,
}

/// A key that was given another secret.
#[derive(Debug, Serialize, ToSchema)]
struct RotatedItem {
    /// The key.
    key: KeyItem,
    /// The new secret: this is the only time that it is shown.
    secret: String,
    /// Until when the old one works too; null if it ended at once.
    #[serde(serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    old_works_until: Option<relay_core::clock::Timestamp>,
}

/// Switches a disabled key on again.
#[utoipa::path(post, path = "/admin/keys/{key}/enable", tag = "keys",
    operation_id = "keys_enable", params(("key" = String, Path, description = "Id or name")),
    responses((status = 200, body = KeyItem), (status = 404, body = Problem)))]
async fn enable(who: Who, Path(name): Path<String>) -> Change<KeyItem> {
    let id = key::enable(&who.app.store, &name, who.now()).await?;
    changed(&who, id, String::new()).await
}

/// Switches a key off until it is enabled. Calls under way go on.
#[utoipa::path(post, path = "/admin/keys/{key}/disable", tag = "keys",
    operation_id = "keys_disable", params(("key" = String, Path, description = "Id or name")),
    responses((status = 200, body = KeyItem), (status = 404, body = Problem)))]
async fn disable(who: Who, Path(name): Path<String>) -> Change<KeyItem> {
    let id = key::disable(&who.app.store, &name, who.now()).await?;
    changed(&who, id, String::new()).await
}

/// Brings a removed key back, with its secret.
#[utoipa::path(post, path = "/admin/keys/{key}/restore", tag = "keys",
    operation_id = "keys_restore", params(("key" = String, Path, description = "Id or name")),
    responses((status = 200, body = KeyItem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
async fn restore(who: Who, Path(name): Path<String>) -> Change<KeyItem> {
    let id = key::restore(&who.app.store, &name, who.now()).await?;
    changed(&who, id, String::new()).await
}

/// Moves the end of a key; one that has expired comes alive.
#[utoipa::path(post, path = "/admin/keys/{key}/renew", tag = "keys", operation_id = "keys_renew",
    request_body = RenewalFields, params(("key" = String, Path, description = "Id or name")),
    responses((status = 200, body = KeyItem), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
async fn renew(
    who: Who,
    Path(name): Path<String>,
    Given(renewal): Given<RenewalFields>,
) -> Change<KeyItem> {
    let id = key::renew(&who.app.store, &name, renewal.read()?, who.now()).await?;
    changed(&who, id, renewal.told()).await
}

/// Gives a key another secret, which is in this answer and nowhere else.
#[utoipa::path(post, path = "/admin/keys/{key}/rotate", tag = "keys",
    operation_id = "keys_rotate", request_body = Rotation,
    params(("key" = String, Path, description = "Id or name")),
    responses((status = 200, body = RotatedItem), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
async fn rotate(
    who: Who,
    Path(name): Path<String>,
    Given(rotation): Given<Rotation>,
) -> Change<RotatedItem> {
    let overlap = Duration::from_secs(rotation.overlap_seconds);
    if overlap > OVERLAP_MAX {
        let why = "an old secret works on for 90 days at most";
        return Err(Problem::invalid(why).at("overlap_seconds"));
    }
    let prefix = who.app.settings.api_key_prefix.as_str();
    let stored = super::stored(&who, &name).await?;
    // Before the secret is another: what can fail must not, once it is.
    let before = super::one(&who, stored).await?;
    let id = before.key.id.to_string();
    let rotated = key::rotate(&who.app.store, &id, (prefix, overlap), who.now()).await?;
    let detail = format!("overlap_seconds: {}", rotation.overlap_seconds);
    let key = match changed(&who, rotated.id, detail.clone()).await {
        Ok(done) => done.answer,
        Err(_) => before,
    };
    let note = crate::admin::answer::Note::of(rotated.id, &rotated.name).with(detail);
    let secret = rotated.secret.expose().to_owned();
    let answer = RotatedItem { key, secret, old_works_until: rotated.old_works_until };
    Ok(Done { note, answer })
}
