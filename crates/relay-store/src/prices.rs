//! The tables `price_overrides` and `price_lists`: what an operator set or imported. The form of
//! a price is the catalogue's matter; here it is text.

use relay_core::clock::Timestamp;

use crate::changes::{Op, Subject, note};
use crate::columns::Columns;
use crate::error::StoreError;
use crate::pool::Store;

/// Imported lists that are kept: the one in use and some to go back to.
pub const PRICE_LISTS_MAX: i64 = 3;

/// A price that an operator set for a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceOverride {
    /// The model.
    pub model: String,
    /// The price, as JSON.
    pub price: String,
    /// When it was set.
    pub updated_at: Timestamp,
}

/// A list of prices that an operator imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceList {
    /// Where it came from.
    pub source: String,
    /// Its version, as its source says it.
    pub version: String,
    /// The list, as it was imported.
    pub body: Vec<u8>,
}

impl Store {
    /// Every override, by model.
    pub async fn price_overrides(&self) -> Result<Vec<PriceOverride>, StoreError> {
        let rows =
            sqlx::query("select model, price, updated_at from price_overrides order by model")
                .fetch_all(&self.reader)
                .await?;
        rows.iter()
            .map(|row| {
                let mut columns = Columns::of(row);
                Ok(PriceOverride {
                    model: columns.string()?,
                    price: columns.string()?,
                    updated_at: columns.at()?,
                })
            })
            .collect()
    }

    /// Sets the price of a model, as JSON.
    pub async fn set_price_override(
        &self,
        model: &str,
        price: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut edit = self.edit().await?;
        sqlx::query(
            "insert into price_overrides (model, price, updated_at) values ($1, $2, $3)
             on conflict (model) do update
             set price = excluded.price, updated_at = excluded.updated_at",
        )
        .bind(model)
        .bind(price)
        .bind(now.as_millis())
        .execute(&mut *edit)
        .await?;
        note(&mut edit, (Subject::Price, Op::Changed), 0, now).await?;
        Ok(edit.commit().await?)
    }

    /// Removes the override of a model; tells whether there was one.
    pub async fn remove_price_override(
        &self,
        model: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut edit = self.edit().await?;
        let done = sqlx::query("delete from price_overrides where model = $1")
            .bind(model)
            .execute(&mut *edit)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        note(&mut edit, (Subject::Price, Op::Removed), 0, now).await?;
        edit.commit().await?;
        Ok(true)
    }

    /// Keeps an imported list; it is the one in use from now on.
    pub async fn import_price_list(
        &self,
        list: &PriceList,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut edit = self.edit().await?;
        let row = sqlx::query(
            "insert into price_lists (source, version, body, imported_at)
             values ($1, $2, $3, $4) returning id",
        )
        .bind(&list.source)
        .bind(&list.version)
        .bind(list.body.as_slice())
        .bind(now.as_millis())
        .fetch_one(&mut *edit)
        .await?;
        let id: i64 = Columns::of(&row).take()?;
        sqlx::query("delete from price_lists where id <= $1")
            .bind(id - PRICE_LISTS_MAX)
            .execute(&mut *edit)
            .await?;
        note(&mut edit, (Subject::Price, Op::Changed), 0, now).await?;
        Ok(edit.commit().await?)
    }

    /// The list that was imported last.
    pub async fn latest_price_list(&self) -> Result<Option<PriceList>, StoreError> {
        let row =
            sqlx::query("select source, version, body from price_lists order by id desc limit 1")
                .fetch_optional(&self.reader)
                .await?;
        row.map(|row| {
            let mut columns = Columns::of(&row);
            Ok(PriceList {
                source: columns.string()?,
                version: columns.string()?,
                body: columns.take()?,
            })
        })
        .transpose()
    }
}
