//! Groups of accounts.

use relay_core::clock::Timestamp;
use relay_core::id::GroupId;
use relay_core::key::BindingTarget;
use relay_store::Store;
use relay_store::groups::Group;
use serde::Serialize;
use utoipa::ToSchema;

use crate::verbs::account::Selection;
use crate::verbs::name::checked_name;
use crate::verbs::{Thing, VerbError, account, key, moment};

/// A group as it is shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GroupView {
    /// Identity.
    #[schema(value_type = String)]
    pub id: GroupId,
    /// The name.
    pub name: String,
    /// Names of the accounts that belong to it.
    pub accounts: Vec<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    #[serde(serialize_with = "moment::serialize")]
    pub created_at: Timestamp,
}

/// Makes a group.
pub async fn add(store: &Store, name: &str, now: Timestamp) -> Result<GroupId, VerbError> {
    Ok(store.add_group(&checked_name(name)?, now).await?)
}

/// Every group, in the order in which they were made.
pub async fn list(store: &Store) -> Result<Vec<GroupView>, VerbError> {
    let accounts = store.accounts().await?;
    let view = |group: Group| GroupView {
        accounts: accounts
            .iter()
            .filter(|stored| group.accounts.contains(&stored.account.id))
            .map(|stored| stored.account.name.clone())
            .collect(),
        id: group.id,
        name: group.name,
        created_at: group.created_at,
    };
    Ok(store.groups().await?.into_iter().map(view).collect())
}

/// One group.
pub async fn show(store: &Store, id_or_name: &str) -> Result<GroupView, VerbError> {
    let id = find(store, id_or_name).await?.id;
    let found = list(store).await?.into_iter().find(|group| group.id == id);
    found.ok_or_else(|| VerbError::not_found(Thing::Group, id_or_name))
}

/// Removes a group; its accounts stay. Refused while keys are bound to it, as they would have
/// nowhere to go.
pub async fn remove(store: &Store, id_or_name: &str, now: Timestamp) -> Result<GroupId, VerbError> {
    let id = find(store, id_or_name).await?.id;
    key::refuse_if_bound(store, BindingTarget::Group(id)).await?;
    store.remove_group(id, now).await?;
    Ok(id)
}

/// Puts accounts into a group: all of them, or none if one cannot be found. One that is in it
/// stays.
pub async fn join(
    store: &Store,
    group: &str,
    accounts: &Selection,
    now: Timestamp,
) -> Result<GroupId, VerbError> {
    let group = find(store, group).await?.id;
    for stored in account::select(store, accounts).await? {
        store.join_group(group, stored.account.id, now).await?;
    }
    Ok(group)
}

/// Takes accounts out of a group: all of them, or none if one cannot be found. One that is not in
/// it is no mistake.
pub async fn leave(
    store: &Store,
    group: &str,
    accounts: &Selection,
    now: Timestamp,
) -> Result<GroupId, VerbError> {
    let group = find(store, group).await?.id;
    for stored in account::select(store, accounts).await? {
        store.leave_group(group, stored.account.id, now).await?;
    }
    Ok(group)
}

/// The group that a person means.
pub(super) async fn find(store: &Store, id_or_name: &str) -> Result<Group, VerbError> {
    let found = store.find_group(id_or_name.trim()).await?;
    found.ok_or_else(|| VerbError::not_found(Thing::Group, id_or_name))
}

/// The group of that id or name, made if there is none. An id is not a name to make one by.
pub(super) async fn find_or_add(
    store: &Store,
    id_or_name: &str,
    now: Timestamp,
) -> Result<GroupId, VerbError> {
    match store.find_group(id_or_name).await? {
        Some(found) => Ok(found.id),
        None if id_or_name.parse::<GroupId>().is_ok() => {
            Err(VerbError::not_found(Thing::Group, id_or_name))
        }
        None => add(store, id_or_name, now).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::scratch::{NOW, Scratch, new_account};

    #[tokio::test]
    async fn accounts_join_and_leave_and_outlive_the_group() {
        let scratch = Scratch::new().await;
        let store = &scratch.store;
        account::add(store, new_account("main"), &[], NOW).await.expect("an account");
        add(store, "team", NOW).await.expect("a group");
        join(store, "team", &Selection::one("main"), NOW).await.expect("joined");
        join(store, "team", &Selection::one("acct_1"), NOW).await.expect("again is no mistake");
        insta::assert_json_snapshot!(list(store).await.expect("groups"), @r#"
        [
          {
            "id": "grp_1",
            "name": "team",
            "accounts": [
              "main"
            ],
            "created_at": "2027-01-15T08:00:00Z"
          }
        ]
        "#);
        leave(store, "grp_1", &Selection::one("main"), NOW).await.expect("left");
        assert!(show(store, "team").await.expect("a group").accounts.is_empty());
        remove(store, "team", NOW).await.expect("removed");
        let gone = remove(store, "team", NOW).await.expect_err("it is gone");
        assert_eq!(gone.to_string(), r#"there is no group "team""#);
        assert_eq!(store.accounts().await.expect("accounts").len(), 1);
    }
}
