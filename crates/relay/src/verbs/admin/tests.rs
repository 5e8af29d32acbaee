//! Administrators on a real store.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::verbs::scratch::{NOW, Scratch};

async fn accepts(store: &Store, username: &str, password: &Secret) -> bool {
    let admin = store.find_admin(username).await.expect("the store").expect("an administrator");
    password::matches(password.clone(), admin.password_hash).await
}

async fn first(scratch: &Scratch, username: Option<&str>, password: Option<&str>) -> FirstAdmin {
    let (username, password) = (username.map(str::to_owned), password.map(Secret::new));
    let first = ensure_first_admin(&scratch.store, &scratch.dir, username, password, NOW).await;
    first.expect("the first administrator")
}

#[tokio::test]
async fn the_first_start_makes_one_and_keeps_the_password_in_a_private_file() {
    let scratch = Scratch::new().await;
    let FirstAdmin::Created { username, password, origin } = first(&scratch, None, None).await
    else {
        panic!("there is none")
    };
    assert_eq!(origin, PasswordOrigin::Generated);
    assert!(username.starts_with("cr_admin_") && username.len() == 17, "{username}");
    assert_eq!(password.expose().len(), 20);
    let path = scratch.dir.init_file();
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let file: serde_json::Value =
        serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
    assert_eq!(file["adminUsername"], username);
    assert_eq!(file["adminPassword"], password.expose());
    assert_eq!(file["createdAt"], "2027-01-15T08:00:00Z");
    assert!(accepts(&scratch.store, &username, &password).await);
    assert!(matches!(first(&scratch, Some("other"), None).await, FirstAdmin::Existing));
}

#[tokio::test]
async fn a_start_that_was_broken_off_is_taken_up_with_the_same_password() {
    let scratch = Scratch::new().await;
    let (username, password, _) = initial(&scratch.dir, None, NOW).expect("a password");
    let FirstAdmin::Created { username: again, password: same, origin } =
        first(&scratch, None, None).await
    else {
        panic!("there is none")
    };
    assert_eq!((again, origin), (username, PasswordOrigin::InitFile));
    assert!(same == password);
}

#[tokio::test]
async fn the_file_of_another_installation_is_taken_and_made_private() {
    let scratch = Scratch::new().await;
    let path = scratch.dir.init_file();
    let found = r#"{"initializedAt":"2026-01-01T00:00:00.000Z","adminUsername":"cr_admin_old",
        "adminPassword":"of the old one","version":"1.0.0"}"#;
    fs::write(&path, found).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
    let FirstAdmin::Created { username, password, origin } = first(&scratch, None, None).await
    else {
        panic!("there is none")
    };
    assert_eq!((username.as_str(), origin), ("cr_admin_old", PasswordOrigin::InitFile));
    assert!(accepts(&scratch.store, &username, &password).await);
    let mode = fs::metadata(&path).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs::read_to_string(&path).expect("the file"), found, "its text is as it was");
}

#[tokio::test]
async fn a_given_password_is_not_written_down() {
    let scratch = Scratch::new().await;
    first(&scratch, Some("root"), Some("six by")).await;
    assert!(!scratch.dir.init_file().exists());
    assert!(accepts(&scratch.store, "root", &Secret::new("six by")).await);
    let admin = scratch.store.find_admin("root").await.expect("the store").expect("root");
    let parameters = "$argon2id$v=19$m=19456,t=2,p=1$";
    assert!(admin.password_hash.starts_with(parameters), "{}", admin.password_hash);
}

#[tokio::test]
async fn a_reset_sets_a_new_password_and_removes_the_file() {
    let scratch = Scratch::new().await;
    let (store, dir) = (&scratch.store, &scratch.dir);
    let early = reset_password(store, dir, None, None, NOW).await.expect_err("there is nobody");
    assert!(matches!(early, VerbError::Invalid(_)));
    let FirstAdmin::Created { username, password: old, .. } = first(&scratch, None, None).await
    else {
        panic!("there is none")
    };
    let reset = reset_password(store, dir, None, None, NOW).await.expect("a new password");
    assert_eq!(reset.username, username);
    assert!(accepts(store, &username, &reset.password).await);
    assert!(!accepts(store, &username, &old).await);
    assert!(!dir.init_file().exists());
    let short = reset_password(store, dir, None, Some(Secret::new("short")), NOW).await;
    assert!(matches!(short, Err(VerbError::Invalid(_))));
    let other = reset_password(store, dir, Some("nobody"), None, NOW).await;
    assert!(matches!(other, Err(VerbError::NotFound { what: Thing::Admin, .. })));
}
