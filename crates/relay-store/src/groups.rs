//! The tables `groups` and `group_accounts`: which accounts belong together.

use relay_core::clock::Timestamp;
use relay_core::id::{AccountId, GroupId};
use sqlx::SqliteConnection;

use crate::changes::{Op, Subject, note, note_all};
use crate::columns::Columns;
use crate::error::{StoreError, taken};
use crate::pool::Store;

/// A group of accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Identity.
    pub id: GroupId,
    /// The name an operator gave; unique.
    pub name: String,
    /// The accounts that belong to it.
    pub accounts: Vec<AccountId>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Store {
    /// Every group, in the order in which they were made.
    pub async fn groups(&self) -> Result<Vec<Group>, StoreError> {
        let mut reading = self.reader.begin().await?;
        let rows = sqlx::query("select id, name, created_at from groups order by id")
            .fetch_all(&mut *reading)
            .await?;
        let mut groups: Vec<Group> = rows
            .iter()
            .map(|row| {
                let mut columns = Columns::of(row);
                Ok(Group {
                    id: GroupId(columns.take()?),
                    name: columns.string()?,
                    created_at: columns.at()?,
                    accounts: Vec::new(),
                })
            })
            .collect::<Result<_, StoreError>>()?;
        for (account, group) in memberships(&mut reading).await? {
            if let Ok(index) = groups.binary_search_by_key(&group, |it| it.id) {
                groups[index].accounts.push(account);
            }
        }
        Ok(groups)
    }

    /// The group that a person means by `id_or_name`.
    pub async fn find_group(&self, id_or_name: &str) -> Result<Option<Group>, StoreError> {
        let id: Option<GroupId> = id_or_name.parse().ok();
        let groups = self.groups().await?;
        let found = groups
            .iter()
            .position(|group| Some(group.id) == id)
            .or_else(|| groups.iter().position(|group| group.name == id_or_name));
        Ok(found.and_then(|index| groups.into_iter().nth(index)))
    }

    /// Makes a group.
    pub async fn add_group(&self, name: &str, now: Timestamp) -> Result<GroupId, StoreError> {
        let mut edit = self.edit().await?;
        let row = sqlx::query("insert into groups (name, created_at) values ($1, $2) returning id")
            .bind(name)
            .bind(now.as_millis())
            .fetch_one(&mut *edit)
            .await
            .map_err(|error| taken(error, name))?;
        let id = Columns::of(&row).take()?;
        note(&mut edit, (Subject::Group, Op::Added), id, now).await?;
        edit.commit().await?;
        Ok(GroupId(id))
    }

    /// Removes a group; its accounts stay. Tells whether there was one.
    pub async fn remove_group(&self, id: GroupId, now: Timestamp) -> Result<bool, StoreError> {
        let mut edit = self.edit().await?;
        let members =
            sqlx::query("delete from group_accounts where group_id = $1 returning account_id")
                .bind(id.0)
                .fetch_all(&mut *edit)
                .await?;
        let members: Vec<i64> =
            members.iter().map(|row| Columns::of(row).take()).collect::<Result<_, _>>()?;
        let done =
            sqlx::query("delete from groups where id = $1").bind(id.0).execute(&mut *edit).await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        note_all(&mut edit, (Subject::Account, Op::Changed), &members, now).await?;
        note(&mut edit, (Subject::Group, Op::Removed), id.0, now).await?;
        edit.commit().await?;
        Ok(true)
    }

    /// Puts an account into a group; tells whether it was not in it.
    pub async fn join_group(
        &self,
        group: GroupId,
        account: AccountId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut edit = self.edit().await?;
        if !add_member(&mut edit, group, account).await? {
            return Ok(false);
        }
        note(&mut edit, (Subject::Account, Op::Changed), account.0, now).await?;
        edit.commit().await?;
        Ok(true)
    }

    /// Takes an account out of a group; tells whether it was in it.
    pub async fn leave_group(
        &self,
        group: GroupId,
        account: AccountId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut edit = self.edit().await?;
        let done =
            sqlx::query("delete from group_accounts where group_id = $1 and account_id = $2")
                .bind(group.0)
                .bind(account.0)
                .execute(&mut *edit)
                .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        note(&mut edit, (Subject::Account, Op::Changed), account.0, now).await?;
        edit.commit().await?;
        Ok(true)
    }
}

/// Puts an account into a group; tells whether it was not in it.
pub(crate) async fn add_member(
    connection: &mut SqliteConnection,
    group: GroupId,
    account: AccountId,
) -> Result<bool, StoreError> {
    let living = sqlx::query("select id from accounts where id = $1 and removed_at is null")
        .bind(account.0)
        .fetch_optional(&mut *connection)
        .await?;
    if living.is_none() {
        return Err(StoreError::Dangling);
    }
    let done = sqlx::query(
        "insert into group_accounts (group_id, account_id) values ($1, $2)
         on conflict (group_id, account_id) do nothing",
    )
    .bind(group.0)
    .bind(account.0)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes an account out of every group.
pub(crate) async fn leave_all(
    connection: &mut SqliteConnection,
    account: AccountId,
) -> Result<(), StoreError> {
    sqlx::query("delete from group_accounts where account_id = $1")
        .bind(account.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Every account with every group that it belongs to.
pub(crate) async fn memberships(
    connection: &mut SqliteConnection,
) -> Result<Vec<(AccountId, GroupId)>, StoreError> {
    let rows = sqlx::query(
        "select account_id, group_id from group_accounts order by account_id, group_id",
    )
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok((AccountId(columns.take()?), GroupId(columns.take()?)))
        })
        .collect()
}

/// The groups that one account belongs to.
pub(crate) async fn of_account(
    connection: &mut SqliteConnection,
    account: AccountId,
) -> Result<Vec<GroupId>, StoreError> {
    let rows =
        sqlx::query("select group_id from group_accounts where account_id = $1 order by group_id")
            .bind(account.0)
            .fetch_all(connection)
            .await?;
    rows.iter().map(|row| Columns::of(row).take().map(GroupId)).collect()
}
