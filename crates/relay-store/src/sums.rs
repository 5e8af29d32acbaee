//! What calls came to over time: the sums that charts, tables and bills are drawn from.

use std::collections::HashMap;

use relay_core::clock::Timestamp;
use relay_core::id::{AccountId, KeyId};
use relay_core::period::Span;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Encode, Sqlite, Type};

use crate::columns::{Columns, json};
use crate::days::SUMS;
use crate::error::StoreError;
use crate::pool::Store;
use crate::rollups::Totals;

/// What sums are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    /// Nothing: one sum.
    All,
    /// The key.
    Key,
    /// The account.
    Account,
    /// The model.
    Model,
}

/// What one sum is of, as far as it was asked to be told apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Of {
    /// All that was asked for.
    All,
    /// A key.
    Key(KeyId),
    /// An account.
    Account(AccountId),
    /// A model.
    Model(String),
}

/// How exactly time is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// By days of the relay's time zone: the span begins with one.
    Day,
    /// By quarters of an hour.
    Quarter,
}

/// What is compared where only the greatest are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// What it cost.
    Cost,
    /// Tokens of every kind.
    Tokens,
    /// How many calls.
    Calls,
}

/// Which sums are asked for.
#[derive(Debug, Clone)]
pub struct SumsOf {
    /// Of which time.
    pub span: Span,
    /// How exactly time is told.
    pub grain: Grain,
    /// What they are told apart by.
    pub by: By,
    /// Those of this key alone.
    pub key: Option<KeyId>,
    /// Those of this account alone.
    pub account: Option<AccountId>,
    /// Those of this model alone.
    pub model: Option<String>,
    /// Those of these alone, of whatever they are told apart by.
    pub among: Option<Vec<Of>>,
}

/// A sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// The beginning of the day or quarter; of all time that was asked for, where that is summed.
    pub at: Timestamp,
    /// What it is of.
    pub of: Of,
    /// What its calls came to.
    pub totals: Totals,
}

/// Names of keys and accounts, removed ones too.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Names and owners of keys.
    pub keys: HashMap<KeyId, (String, String)>,
    /// Names of accounts.
    pub accounts: HashMap<AccountId, String>,
}

/// A table that sums are read from, and its column of time.
struct Source {
    table: &'static str,
    time: &'static str,
}

impl SumsOf {
    /// All sums of a span.
    pub fn of(span: Span, grain: Grain, by: By) -> Self {
        Self { span, grain, by, key: None, account: None, model: None, among: None }
    }

    /// The smallest table that tells what is asked.
    fn source(&self) -> Source {
        let by_key = self.by == By::Key || self.key.is_some();
        let by_model = matches!(self.by, By::Account | By::Model)
            || self.account.is_some()
            || self.model.is_some();
        match self.grain {
            Grain::Day if by_key && !by_model => Source { table: "days_keys", time: "day" },
            Grain::Day if !by_key => Source { table: "days_models", time: "day" },
            // Both at once are only in the roll-ups.
            Grain::Day | Grain::Quarter => Source { table: "rollups", time: "quarter" },
        }
    }

    fn dimension(&self) -> (&'static str, &'static str) {
        match self.by {
            By::All => ("0", "''"),
            // The mark keeps the engine from reading all there ever was in the order of an index.
            By::Key => ("+key_id", "''"),
            By::Account => ("+account_id", "''"),
            By::Model => ("0", "+model"),
        }
    }

    /// What rows are taken, and the values for it.
    fn condition(&self, time: &str) -> (String, SqliteArguments) {
        let mut arguments = SqliteArguments::default();
        bind(&mut arguments, self.span.from.as_millis());
        bind(&mut arguments, self.span.to.as_millis());
        let mut text = format!("{time} >= ? and {time} < ?");
        if let Some(KeyId(key)) = self.key {
            text.push_str(" and key_id = ?");
            bind(&mut arguments, key);
        }
        if let Some(AccountId(account)) = self.account {
            text.push_str(" and account_id = ?");
            bind(&mut arguments, account);
        }
        if let Some(model) = &self.model {
            text.push_str(" and model = ?");
            bind(&mut arguments, model.clone());
        }
        if let Some(among) = &self.among {
            let column = match self.by {
                By::All => return (text, arguments),
                By::Key => "key_id",
                By::Account => "account_id",
                By::Model => "model",
            };
            text.push_str(" and ");
            text.push_str(column);
            text.push_str(" in (select value from json_each(?))");
            let values: Vec<serde_json::Value> = among.iter().map(Of::value).collect();
            bind(&mut arguments, json(&values));
        }
        (text, arguments)
    }
}

impl Of {
    fn value(&self) -> serde_json::Value {
        match self {
            Self::All => serde_json::Value::Null,
            Self::Key(KeyId(id)) | Self::Account(AccountId(id)) => (*id).into(),
            Self::Model(model) => model.as_str().into(),
        }
    }
}

impl Measure {
    const fn sum(self) -> &'static str {
        match self {
            Self::Cost => "sum(cost_nanos)",
            Self::Calls => "sum(calls)",
            Self::Tokens => "sum(input + output + cache_read + cache_write_5m + cache_write_1h)",
        }
    }
}

impl Store {
    /// Sums by day or quarter of an hour, in order of time.
    pub async fn sums_over_time(&self, asked: &SumsOf) -> Result<Vec<Sum>, StoreError> {
        let Source { table, time } = asked.source();
        let (condition, arguments) = asked.condition(time);
        let (id, name) = asked.dimension();
        let sql = format!(
            "select {time}, {id}, {name}, {} from {table} where {condition} \
             group by 1, 2, 3 order by 1",
            columns()
        );
        let rows = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(&self.reader).await?;
        rows.iter().map(|row| read(row, asked)).collect()
    }

    /// Sums over the whole span, the greatest first: all of them, or so many.
    pub async fn sums(
        &self,
        asked: &SumsOf,
        measure: Measure,
        limit: Option<u32>,
    ) -> Result<Vec<Sum>, StoreError> {
        let among = match limit {
            None => None,
            // One sum of each is found out far sooner than all of them.
            Some(limit) => Some(self.greatest(asked, measure, limit).await?),
        };
        let asked = SumsOf { among: among.or_else(|| asked.among.clone()), ..asked.clone() };
        let Source { table, time } = asked.source();
        let (condition, arguments) = asked.condition(time);
        let (id, name) = asked.dimension();
        let sql = format!(
            "select {}, {id}, {name}, {} from {table} where {condition} \
             group by 2, 3 order by {} desc, 2, 3",
            asked.span.from.as_millis(),
            columns(),
            measure.sum()
        );
        let rows = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(&self.reader).await?;
        rows.iter().map(|row| read(row, &asked)).collect()
    }

    /// Of what the greatest sums are, the greatest first.
    pub async fn greatest(
        &self,
        asked: &SumsOf,
        measure: Measure,
        limit: u32,
    ) -> Result<Vec<Of>, StoreError> {
        let Source { table, time } = asked.source();
        let (condition, mut arguments) = asked.condition(time);
        let (id, name) = asked.dimension();
        let sql = format!(
            "select {id}, {name}, {} from {table} where {condition} \
             group by 1, 2 order by 3 desc, 1, 2 limit ?",
            measure.sum()
        );
        bind(&mut arguments, i64::from(limit));
        let rows = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(&self.reader).await?;
        rows.iter().map(|row| of(&mut Columns::of(row), asked.by)).collect()
    }

    /// What all calls of a span came to.
    pub async fn totals(&self, asked: &SumsOf) -> Result<Totals, StoreError> {
        let all = SumsOf { by: By::All, ..asked.clone() };
        let sums = self.sums(&all, Measure::Calls, None).await?;
        Ok(sums.into_iter().next().map(|sum| sum.totals).unwrap_or_default())
    }

    /// The first day that has sums; `None` before the first call.
    pub async fn first_day(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query("select min(day) from days_models").fetch_one(&self.reader).await?;
        Columns::of(&row).optional_at()
    }

    /// The names of keys and accounts.
    pub async fn names(
        &self,
        keys: impl IntoIterator<Item = KeyId>,
        accounts: impl IntoIterator<Item = AccountId>,
    ) -> Result<Names, StoreError> {
        let mut names = Names::default();
        let ids: Vec<i64> = keys.into_iter().map(|id| id.0).collect();
        if !ids.is_empty() {
            let sql = "select id, name, owner from keys \
                       where id in (select value from json_each($1))";
            let rows = sqlx::query(sql).bind(json(&ids)).fetch_all(&self.reader).await?;
            for row in &rows {
                let mut columns = Columns::of(row);
                let id = KeyId(columns.take()?);
                names.keys.insert(id, (columns.string()?, columns.string()?));
            }
        }
        let ids: Vec<i64> = accounts.into_iter().map(|id| id.0).collect();
        if !ids.is_empty() {
            let sql = "select id, name from accounts where id in (select value from json_each($1))";
            let rows = sqlx::query(sql).bind(json(&ids)).fetch_all(&self.reader).await?;
            for row in &rows {
                let mut columns = Columns::of(row);
                names.accounts.insert(AccountId(columns.take()?), columns.string()?);
            }
        }
        Ok(names)
    }
}

impl Names {
    /// What people call it; an id if it has no name any more.
    pub fn of(&self, of: &Of) -> String {
        match of {
            Of::All => String::new(),
            Of::Key(id) => {
                self.keys.get(id).map_or_else(|| id.to_string(), |(name, _)| name.clone())
            }
            Of::Account(id) => self.accounts.get(id).cloned().unwrap_or_else(|| id.to_string()),
            Of::Model(model) => model.clone(),
        }
    }
}

/// Adds a value to those of a statement.
fn bind<'v, T: Encode<'v, Sqlite> + Type<Sqlite>>(arguments: &mut SqliteArguments, value: T) {
    arguments.add(value).expect("numbers and texts always encode");
}

fn columns() -> String {
    SUMS.map(|column| format!("cast(sum({column}) as bigint)")).join(", ")
}

/// What a sum is of, from its two columns.
fn of(columns: &mut Columns<'_>, by: By) -> Result<Of, StoreError> {
    let (id, model): (i64, String) = (columns.take()?, columns.string()?);
    Ok(match by {
        By::All => Of::All,
        By::Key => Of::Key(KeyId(id)),
        By::Account => Of::Account(AccountId(id)),
        By::Model => Of::Model(model),
    })
}

fn read(row: &SqliteRow, asked: &SumsOf) -> Result<Sum, StoreError> {
    let mut columns = Columns::of(row);
    let at = columns.at()?;
    let of = of(&mut columns, asked.by)?;
    // A sum of nothing is null; there is a row only where there are calls.
    Ok(Sum { at, of, totals: Totals::read(&mut columns)? })
}
