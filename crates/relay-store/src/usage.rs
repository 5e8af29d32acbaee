//! The table `calls`: one row for each call, taken from the journal in batches.

mod kind;
mod page;
mod row;

use relay_core::clock::Timestamp;
use relay_core::id::{AccountId, CallId};
use relay_core::money::Money;
use relay_core::price::PricedBy;
use relay_core::usage::CallRecord;

use self::kind::Kinds;
use crate::columns::Columns;
use crate::error::StoreError;
use crate::journal::Position;
use crate::key_counts::{self, KeyCounters};
use crate::pool::Store;
use crate::rollups::{self, RollUps};
use crate::rows::runs;

pub(crate) use self::kind::KnownKinds;
pub use self::page::{CallFilter, CallsPage, Ended, LOOKED_MAX};

/// Calls with unusual attempts that are looked at for those of one account.
pub const RETRIED_READ_MAX: u32 = 5_000;

/// What came of a batch of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ingested {
    /// Records of calls that the database did not know.
    pub inserted: usize,
}

impl Store {
    /// Takes in the journal's records up to `upto`: rows, roll-ups, what keys used, and position in
    /// one transaction. A call that is known already is left as it is, so taking records in twice, or
    /// overlapping, changes nothing.
    pub async fn ingest(
        &self,
        records: &[CallRecord],
        upto: Position,
    ) -> Result<Ingested, StoreError> {
        let mut edit = self.edit().await?;
        let mut known = row::known(&mut edit, records).await?;
        let (mut new, mut kinds) = (Vec::with_capacity(records.len()), Kinds::new(&self.kinds));
        let (mut roll_ups, mut counters) = (RollUps::default(), KeyCounters::new(&self.first_uses));
        for record in records {
            if known.insert(record.call) {
                new.push((record, kinds.number(&mut edit, record).await?));
                roll_ups.add(record);
            }
        }
        for run in runs(&new) {
            row::insert(&mut edit, run).await?;
        }
        counters.add(new.iter().map(|(record, _)| *record));
        counters.save(&mut edit, &roll_ups, upto).await?;
        roll_ups.save(&mut edit, &self.days).await?;
        edit.commit().await?;
        kinds.share();
        counters.share();
        Ok(Ingested { inserted: new.len() })
    }

    /// How far the journal has been taken in; `None` before the first time.
    pub async fn journal_position(&self) -> Result<Option<Position>, StoreError> {
        let row = sqlx::query("select segment, position_bytes from journal_position where id = 1")
            .fetch_optional(&self.reader)
            .await?;
        row.map(|row| {
            let mut columns = Columns::of(&row);
            Ok(Position { segment: columns.number()?, offset: columns.number()? })
        })
        .transpose()
    }

    /// The record of one call.
    pub async fn call(&self, call: CallId) -> Result<Option<CallRecord>, StoreError> {
        let mut reading = self.reader.acquire().await?;
        row::one(&mut reading, call).await
    }

    /// Up to `limit` calls that have to be priced again once their model's price is known, in the
    /// order in which they came, from after the call `after`.
    pub async fn provisional_calls(
        &self,
        after: Option<CallId>,
        limit: u32,
    ) -> Result<Vec<CallRecord>, StoreError> {
        let mut reading = self.reader.acquire().await?;
        row::provisional(&mut reading, after, limit).await
    }

    /// The newest calls since `moment` with an attempt that failed on `account`, newest first: up to
    /// `limit`, and none before the last [`RETRIED_READ_MAX`] calls of that sort.
    pub async fn calls_that_failed_on(
        &self,
        account: AccountId,
        moment: Timestamp,
        limit: u32,
    ) -> Result<Vec<CallRecord>, StoreError> {
        let mut reading = self.reader.acquire().await?;
        row::failed_on(&mut reading, account, moment, limit).await
    }

    /// The newest calls since `moment` that were not answered at the first attempt, newest first.
    pub async fn calls_not_answered_at_once(
        &self,
        moment: Timestamp,
        limit: u32,
    ) -> Result<Vec<CallRecord>, StoreError> {
        let mut reading = self.reader.acquire().await?;
        row::retried(&mut reading, moment, limit).await
    }

    /// Corrects what a call cost, in its row and in the sums that it went into; tells whether there
    /// is the row.
    pub async fn set_cost(
        &self,
        call: CallId,
        cost: Money,
        priced_by: &PricedBy,
    ) -> Result<bool, StoreError> {
        let mut edit = self.edit().await?;
        let Some(record) = row::one(&mut edit, call).await? else { return Ok(false) };
        let corrected = CallRecord { cost, priced_by: priced_by.clone(), ..record.clone() };
        let mut kinds = Kinds::new(&self.kinds);
        let kind = kinds.number(&mut edit, &corrected).await?;
        row::set_cost(&mut edit, &corrected, kind).await?;
        rollups::correct_cost(&mut edit, &record, cost - record.cost).await?;
        key_counts::correct_cost(&mut edit, &record, cost - record.cost).await?;
        edit.commit().await?;
        kinds.share();
        Ok(true)
    }
}
