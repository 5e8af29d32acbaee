//! Administrators: the first one, and a password that was lost.

pub mod factor;
pub mod password;
pub mod staff;
#[cfg(test)]
mod tests;
pub mod token;

use std::fs;
use std::io::ErrorKind;

use relay_core::clock::Timestamp;
use relay_core::secret::Secret;
use relay_store::Store;
use relay_store::data_dir::{DataDir, DataDirError, create_private, make_private};
use relay_store::vault::generate_key;
use serde::{Deserialize, Serialize};

use crate::verbs::name::checked_name;
use crate::verbs::{Thing, VerbError, moment};

/// The fewest characters of a password that replaces another.
pub const PASSWORD_CHARS_MIN: usize = 8;

/// The most bytes of a password: hashing costs by length.
const PASSWORD_BYTES_MAX: usize = 1_024;
const GENERATED_PASSWORD_CHARS: usize = 20;
const GENERATED_NAME_CHARS: usize = 8;

/// The setting that remembers who the first administrator is.
const FIRST_ADMIN: &str = "first_admin";

/// Whether a start made the first administrator.
#[derive(Debug)]
pub enum FirstAdmin {
    /// It did. This is the time to show the password, if nobody knows it yet.
    Created {
        /// The name to sign in with.
        username: String,
        /// The password.
        password: Secret,
        /// Where the password came from.
        origin: PasswordOrigin,
    },
    /// There was one before.
    Existing,
}

/// Where a password came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordOrigin {
    /// The caller gave it.
    Given,
    /// It was made here, and stands in `init.json` after a first start.
    Generated,
    /// It stood in `init.json`: of a start that was broken off, or of an installation that this
    /// relay takes the place of.
    InitFile,
}

/// A password that was set anew.
#[derive(Debug)]
pub struct NewPassword {
    /// Whose it is.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// Where it came from.
    pub origin: PasswordOrigin,
}

/// The file `init.json`, by the names that users of claude-relay-service know.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InitFile {
    admin_username: String,
    admin_password: String,
    #[serde(default)]
    created_at: String,
}

/// Makes the first administrator if there is none.
///
/// A generated password is on disk, in `init.json`, before the database knows of it: a start that
/// is broken off in between is taken up by the next one.
pub async fn ensure_first_admin(
    store: &Store,
    dir: &DataDir,
    username: Option<String>,
    password: Option<Secret>,
    now: Timestamp,
) -> Result<FirstAdmin, VerbError> {
    if store.has_admin().await? {
        return Ok(FirstAdmin::Existing);
    }
    let (username, password, origin) = match password {
        Some(given) => (username.unwrap_or_else(generated_name), given, PasswordOrigin::Given),
        None => initial(dir, username, now)?,
    };
    let username = checked_name(&username)?;
    // Whatever an existing installation's environment gives is taken, short as it may be.
    check_password(&password, 1)?;
    store.add_admin(&username, &hash(password.clone()).await?, now).await?;
    store.set_setting(FIRST_ADMIN, &username, now).await?;
    Ok(FirstAdmin::Created { username, password, origin })
}

/// Sets the password of an administrator, the first one unless named: to the one given, else to a
/// random one. The generated first password is of no use after that, so its file goes.
pub async fn reset_password(
    store: &Store,
    dir: &DataDir,
    username: Option<&str>,
    password: Option<Secret>,
    now: Timestamp,
) -> Result<NewPassword, VerbError> {
    let username = match username {
        Some(username) => username.trim().to_owned(),
        None => store.setting(FIRST_ADMIN).await?.ok_or_else(|| {
            VerbError::Invalid("there is no administrator yet: start the relay once".into())
        })?,
    };
    let (password, origin) = match password {
        Some(given) => (given, PasswordOrigin::Given),
        None => (generated_password(), PasswordOrigin::Generated),
    };
    check_password(&password, PASSWORD_CHARS_MIN)?;
    if !store.set_password(&username, &hash(password.clone()).await?, now).await? {
        return Err(VerbError::not_found(Thing::Admin, &username));
    }
    remove_init_file(dir)?;
    Ok(NewPassword { username, password, origin })
}

/// The first password, while `init.json` still tells it, if the first administrator has that name.
pub async fn initial_password(
    store: &Store,
    dir: &DataDir,
    username: &str,
) -> Result<Option<Secret>, VerbError> {
    let Ok(text) = fs::read_to_string(dir.init_file()) else { return Ok(None) };
    let is_first = store.setting(FIRST_ADMIN).await?.is_some_and(|first| first == username);
    let file: Option<InitFile> = serde_json::from_str(&text).ok();
    Ok(file.filter(|_| is_first).map(|file| Secret::new(file.admin_password)))
}

/// The first password is of no use any more if it was this administrator's.
async fn forget_initial(store: &Store, dir: &DataDir, username: &str) -> Result<(), VerbError> {
    match store.setting(FIRST_ADMIN).await? {
        Some(first) if first == username => remove_init_file(dir),
        _ => Ok(()),
    }
}

/// The first password when none is given: from `init.json`, else generated and written there.
fn initial(
    dir: &DataDir,
    username: Option<String>,
    now: Timestamp,
) -> Result<(String, Secret, PasswordOrigin), VerbError> {
    let path = dir.init_file();
    let name = username.clone().unwrap_or_else(generated_name);
    let password = generated_password();
    let file = InitFile {
        admin_username: name.clone(),
        admin_password: password.expose().to_owned(),
        created_at: moment::rfc3339(now),
    };
    let text = serde_json::to_string_pretty(&file).unwrap_or_default();
    if create_private(&path, text.as_bytes())? {
        return Ok((name, password, PasswordOrigin::Generated));
    }
    // That of another installation may be open to everybody.
    let text = make_private(&path)
        .and_then(|()| fs::read_to_string(&path))
        .map_err(|source| DataDirError::Open { path: path.clone(), source })?;
    let found: InitFile = serde_json::from_str(&text).map_err(|_| {
        VerbError::Invalid(format!("{} is damaged: remove it and start again", path.display()))
    })?;
    let name = username.unwrap_or(found.admin_username);
    Ok((name, Secret::new(found.admin_password), PasswordOrigin::InitFile))
}

fn remove_init_file(dir: &DataDir) -> Result<(), VerbError> {
    let path = dir.init_file();
    match fs::remove_file(&path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(DataDirError::Write { path, source }.into())
        }
        _ => Ok(()),
    }
}

fn check_password(password: &Secret, chars_min: usize) -> Result<(), VerbError> {
    let text = password.expose();
    if text.chars().count() < chars_min {
        let why = format!("a password has at least {chars_min} characters");
        return Err(VerbError::Invalid(why));
    }
    if text.len() > PASSWORD_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(VerbError::Invalid(
            "the password is too long or has control characters".into(),
        ));
    }
    Ok(())
}

async fn hash(password: Secret) -> Result<String, VerbError> {
    let failed = || VerbError::Invalid("the password could not be hashed".into());
    password::hash(password).await.ok_or_else(failed)
}

fn generated_name() -> String {
    let random = generate_key("");
    format!("cr_admin_{}", &random.expose()[..GENERATED_NAME_CHARS].to_ascii_lowercase())
}

fn generated_password() -> Secret {
    Secret::new(&generate_key("").expose()[..GENERATED_PASSWORD_CHARS])
}
