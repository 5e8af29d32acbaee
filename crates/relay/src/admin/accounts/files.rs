//! Accounts as a file, for another relay.

use axum::extract::DefaultBodyLimit;
use relay_core::secret::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::admin::answer::{Change, Done, Note, Problem};
use crate::admin::given::{Given, Hidden};
use crate::admin::guard::Who;
use crate::verbs::account::{self, Bundle, Existing, Imported, Run, Selection};

/// The largest file that is read.
const FILE_BYTES_MAX: usize = 64 << 20;

/// The address at which files are read, which are larger than other requests.
pub(super) fn import_routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(import)).layer(DefaultBodyLimit::max(FILE_BYTES_MAX))
}

/// Which accounts are written to a file.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportAsked {
    /// Ids or names; every one unless given.
    #[serde(default)]
    ids: Option<Vec<String>>,
    /// Under which secrets are sealed, at least twelve characters; without it they are left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    passphrase: Option<Hidden>,
}

/// Accounts as a file.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ExportedView {
    /// The file.
    bundle: String,
    /// Names of the accounts whose refresh tokens are in it: used in two places, they end the
    /// sign-in.
    sign_ins: Vec<String>,
}

/// What becomes of accounts whose names are taken.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ExistingAsked {
    /// They stay as they are.
    #[default]
    Skip,
    /// They become as the file says.
    Update,
}

/// A file to be taken over.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportAsked {
    /// The file. It may hold secrets, if somebody wrote it by hand.
    #[schema(value_type = String)]
    bundle: Hidden,
    /// Under which its secrets are sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    passphrase: Option<Hidden>,
    /// What becomes of accounts whose names are taken.
    #[serde(default)]
    existing: ExistingAsked,
    /// Only tells what would be done.
    #[serde(default)]
    dry_run: bool,
}

/// Writes accounts to a file.
#[utoipa::path(post, path = "/admin/accounts/export", tag = "accounts",
    operation_id = "accounts_export", request_body = ExportAsked,
    responses((status = 200, body = ExportedView), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
pub(super) async fn export(who: Who, Given(asked): Given<ExportAsked>) -> Change<ExportedView> {
    let selection = asked.ids.map_or(Selection::All, Selection::Named);
    let passphrase = given(asked.passphrase);
    let (store, now) = (&who.app.store, who.now());
    let exported = account::export(store, &selection, passphrase.as_ref(), now).await;
    let exported = exported.map_err(|error| match error {
        crate::verbs::VerbError::NotFound { .. } => Problem::from(error).at("ids"),
        other => Problem::from(other).at("passphrase"),
    })?;
    let names: Vec<_> = exported.bundle.accounts.iter().map(|it| it.name.as_str()).collect();
    let secrets = if exported.bundle.is_sealed() { "with secrets" } else { "without secrets" };
    let detail = format!("{secrets}: {}", names.join(", "));
    let bundle = serde_json::to_string_pretty(&exported.bundle);
    let bundle = bundle.map_err(|error| Problem::ours(&error))?;
    let answer = ExportedView { bundle, sign_ins: exported.sign_ins };
    Ok(Done { note: Note::default().with(detail), answer })
}

/// Takes the accounts of a file over.
#[utoipa::path(post, path = "/admin/accounts/import", tag = "accounts",
    operation_id = "accounts_import", request_body = ImportAsked,
    responses((status = 200, body = Imported), (status = 400, body = Problem)))]
async fn import(who: Who, Given(asked): Given<ImportAsked>) -> Change<Imported> {
    let Hidden(text) = &asked.bundle;
    let bundle = Bundle::read(text.expose());
    let bundle = bundle.map_err(|error| Problem::from(error).at("bundle"))?;
    let passphrase = given(asked.passphrase);
    let existing = match asked.existing {
        ExistingAsked::Skip => Existing::Stay,
        ExistingAsked::Update => Existing::Change,
    };
    let run = if asked.dry_run { Run::Dry } else { Run::Real };
    let (store, now) = (&who.app.store, who.now());
    let done = account::import(store, bundle, passphrase.as_ref(), (existing, run), now).await;
    let done = done.map_err(|error| Problem::from(error).at("passphrase"))?;
    let done = done.retold(who.language);
    let dry = if asked.dry_run { "only told: " } else { "" };
    let Imported { imported, updated, skipped, .. } = &done;
    let skipped = skipped.len();
    let detail = format!("{dry}imported {imported}, updated {updated}, skipped {skipped}");
    Ok(Done { note: Note::default().with(detail), answer: done })
}

fn given(passphrase: Option<Hidden>) -> Option<Secret> {
    passphrase.map(|Hidden(secret)| secret).filter(|secret| !secret.expose().is_empty())
}
