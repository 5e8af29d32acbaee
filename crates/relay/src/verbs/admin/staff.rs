//! Who may sign in to the admin page: several people, some of whom may only look.

use relay_core::clock::Timestamp;
use relay_core::secret::Secret;
use relay_store::Store;
use relay_store::admins::{Admin, AdminChange, AdminEdit, Role};
use relay_store::data_dir::DataDir;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{PASSWORD_CHARS_MIN, check_password, forget_initial, hash};
use crate::verbs::name::checked_name;
use crate::verbs::{Thing, VerbError, moment};

/// How many administrators there may be.
const ADMINS_MAX: usize = 1_000;

/// What an administrator may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleView {
    /// Everything.
    Admin,
    /// Look at everything, and change nothing but their own sign-in.
    Viewer,
}

/// An administrator, as every door shows them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AdminView {
    /// The name to sign in with.
    pub username: String,
    /// What they may do.
    pub role: RoleView,
    /// Whether they may not sign in.
    pub disabled: bool,
    /// Whether a code of a second factor is asked for.
    pub totp: bool,
    /// When they were added.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When their password was last set.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub password_changed_at: Timestamp,
    /// When one of their sessions was last used, as far as one is left.
    #[serde(serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub seen_at: Option<Timestamp>,
}

/// What is changed of an administrator; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct StaffChange {
    /// What they may do.
    pub role: Option<RoleView>,
    /// Whether they may not sign in.
    pub disabled: Option<bool>,
    /// A new password.
    pub password: Option<Secret>,
    /// No second factor is asked for any more.
    pub resets_totp: bool,
}

/// Every administrator.
pub async fn list(store: &Store) -> Result<Vec<AdminView>, VerbError> {
    Ok(store.admins().await?.into_iter().map(AdminView::from).collect())
}

/// The administrator of that name.
pub async fn show(store: &Store, username: &str) -> Result<AdminView, VerbError> {
    let found = store.find_admin(username).await?;
    found.map(AdminView::from).ok_or_else(|| VerbError::not_found(Thing::Admin, username))
}

/// Adds an administrator.
pub async fn add(
    store: &Store,
    role: RoleView,
    (username, password): (&str, Secret),
    now: Timestamp,
) -> Result<AdminView, VerbError> {
    let username = checked_name(username)?;
    check_password(&password, PASSWORD_CHARS_MIN)?;
    if store.admins().await?.len() >= ADMINS_MAX {
        return Err(VerbError::Invalid(format!("there are at most {ADMINS_MAX} administrators")));
    }
    let hash = hash(password).await?;
    store.add_admin_as(role.into(), (&username, &hash), now).await?;
    show(store, &username).await
}

/// Changes an administrator, which ends all their sessions.
pub async fn change(
    store: &Store,
    dir: &DataDir,
    username: &str,
    change: StaffChange,
    now: Timestamp,
) -> Result<AdminView, VerbError> {
    let sets_password = change.password.is_some();
    let password_hash = match change.password {
        None => None,
        Some(password) => {
            check_password(&password, PASSWORD_CHARS_MIN)?;
            Some(hash(password).await?)
        }
    };
    let change = AdminChange {
        role: change.role.map(Role::from),
        disabled: change.disabled,
        password_hash,
        drops_totp: change.resets_totp,
    };
    check(store.change_admin(username, &change, now).await?, username)?;
    if sets_password {
        forget_initial(store, dir, username).await?;
    }
    show(store, username).await
}

/// Removes an administrator and their sessions.
pub async fn remove(
    store: &Store,
    dir: &DataDir,
    username: &str,
    now: Timestamp,
) -> Result<(), VerbError> {
    check(store.remove_admin(username, now).await?, username)?;
    forget_initial(store, dir, username).await
}

fn check(edit: AdminEdit, username: &str) -> Result<(), VerbError> {
    match edit {
        AdminEdit::Done => Ok(()),
        AdminEdit::Missing => Err(VerbError::not_found(Thing::Admin, username)),
        AdminEdit::LastOne => Err(VerbError::Invalid(
            "this is the last administrator who can change anything: make another one first".into(),
        )),
    }
}

impl From<Admin> for AdminView {
    fn from(admin: Admin) -> Self {
        Self {
            username: admin.username,
            role: admin.role.into(),
            disabled: admin.disabled,
            totp: admin.has_totp,
            created_at: admin.created_at,
            password_changed_at: admin.password_changed_at,
            seen_at: admin.seen_at,
        }
    }
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        match role {
            Role::Admin => Self::Admin,
            Role::Viewer => Self::Viewer,
        }
    }
}

impl From<RoleView> for Role {
    fn from(role: RoleView) -> Self {
        match role {
            RoleView::Admin => Self::Admin,
            RoleView::Viewer => Self::Viewer,
        }
    }
}
