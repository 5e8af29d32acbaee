//! Who may sign in to the admin page.

use axum::Json;
use axum::extract::Path;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Change, Done, Note, Problem, Read};
use super::given::{Given, Hidden};
use super::guard::Who;
use crate::verbs::admin::staff::{self, AdminView, RoleView, StaffChange};
use relay_store::data_dir::DataDir;

/// The addresses of administrators.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(change, remove))
}

/// An administrator to be added.
#[derive(Deserialize, ToSchema)]
struct NewAdmin {
    /// The name to sign in with; unique.
    username: String,
    /// The first password, of 8 characters at least.
    #[schema(value_type = String)]
    password: Hidden,
    /// What they may do.
    role: RoleView,
}

/// What is changed of an administrator; what is not named stays. Their sessions end.
#[derive(Deserialize, ToSchema)]
struct AdminEdit {
    /// What they may do.
    role: Option<RoleView>,
    /// Whether they may not sign in.
    disabled: Option<bool>,
    /// A new password.
    #[schema(value_type = Option<String>)]
    password: Option<Hidden>,
    /// Ask for no second factor any more.
    #[serde(default)]
    reset_totp: bool,
}

/// Every administrator.
#[utoipa::path(get, path = "/admin/admins", tag = "admins", operation_id = "admins_list",
    responses((status = 200, body = Vec<AdminView>)))]
async fn list(who: Who) -> Read<Vec<AdminView>> {
    Ok(Json(staff::list(&who.app.store).await?))
}

/// Adds an administrator.
#[utoipa::path(post, path = "/admin/admins", tag = "admins", operation_id = "admins_add",
    request_body = NewAdmin,
    responses((status = 200, body = AdminView), (status = 409, body = Problem)))]
async fn add(who: Who, Given(new): Given<NewAdmin>) -> Change<AdminView> {
    let (store, now) = (who.app.store.clone(), who.now());
    let adding =
        async move { staff::add(&store, new.role, (&new.username, new.password.0), now).await };
    let added = who.app.desk.hashing.turn(adding).await??;
    let detail = format!("role: {}", word(added.role));
    Ok(Done { note: Note::of("", &added.username).with(detail), answer: added })
}

/// Changes an administrator, which ends their sessions.
#[utoipa::path(patch, path = "/admin/admins/{username}", tag = "admins",
    operation_id = "admins_change", params(("username" = String, Path)), request_body = AdminEdit,
    responses((status = 200, body = AdminView), (status = 404, body = Problem)))]
async fn change(
    who: Who,
    Path(username): Path<String>,
    Given(edit): Given<AdminEdit>,
) -> Change<AdminView> {
    let detail = edit.told();
    let change = StaffChange {
        role: edit.role,
        disabled: edit.disabled,
        password: edit.password.map(|Hidden(secret)| secret),
        resets_totp: edit.reset_totp,
    };
    let (store, now, dir) = (who.app.store.clone(), who.now(), data_dir(&who)?);
    let changing = async move { staff::change(&store, &dir, &username, change, now).await };
    let changed = who.app.desk.hashing.turn(changing).await??;
    Ok(Done { note: Note::of("", &changed.username).with(detail), answer: changed })
}

/// Removes an administrator.
#[utoipa::path(delete, path = "/admin/admins/{username}", tag = "admins",
    operation_id = "admins_remove", params(("username" = String, Path)),
    responses((status = 200, body = ()), (status = 404, body = Problem)))]
async fn remove(who: Who, Path(username): Path<String>) -> Change<()> {
    staff::remove(&who.app.store, &data_dir(&who)?, &username, who.now()).await?;
    Ok(Done { note: Note::of("", username), answer: () })
}

fn data_dir(who: &Who) -> Result<DataDir, Problem> {
    DataDir::open(&who.app.settings.data_dir).map_err(|error| Problem::ours(&error))
}

impl AdminEdit {
    /// What the log says of it.
    fn told(&self) -> String {
        let role = self.role.map(|role| format!("role: {}", word(role)));
        let disabled = self.disabled.map(|disabled| format!("disabled: {disabled}"));
        let password = self.password.as_ref().map(|_| "password: ***".to_owned());
        let totp = self.reset_totp.then(|| "totp: off".to_owned());
        let told: Vec<_> = [role, disabled, password, totp].into_iter().flatten().collect();
        told.join(", ")
    }
}

const fn word(role: RoleView) -> &'static str {
    match role {
        RoleView::Admin => "admin",
        RoleView::Viewer => "viewer",
    }
}
