//! The table `call_kinds`: what calls have in common, kept once and known by number.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use relay_core::usage::{CallRecord, Exactness};
use sqlx::SqliteConnection;

use super::row::price_source;
use crate::columns::Columns;
use crate::error::StoreError;

/// Kinds that are remembered; when there are more, remembering begins anew.
const REMEMBERED_MAX: usize = 10_000;

/// Numbers of kinds that the database has for certain. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownKinds(Arc<Mutex<HashMap<Box<[u8]>, i64>>>);

/// The kinds that one transaction meets. What it adds is known to others only after the commit:
/// a number of a transaction that was undone is given again, to another kind.
#[derive(Debug)]
pub(super) struct Kinds {
    known: KnownKinds,
    met: HashMap<Box<[u8]>, i64>,
    /// The kind being looked up, here so that its buffer serves again.
    name: Vec<u8>,
}

impl Kinds {
    pub(super) fn new(known: &KnownKinds) -> Self {
        Self { known: known.clone(), met: HashMap::new(), name: Vec::new() }
    }

    /// The number of the kind of a call, which is added if the table lacks it.
    pub(super) async fn number(
        &mut self,
        connection: &mut SqliteConnection,
        record: &CallRecord,
    ) -> Result<i64, StoreError> {
        name(record, &mut self.name);
        if let Some(&number) = self.met.get(&*self.name) {
            return Ok(number);
        }
        let known = self.known.0.lock().get(&*self.name).copied();
        if let Some(number) = known {
            return Ok(number);
        }
        let number = find_or_add(connection, record).await?;
        self.met.insert(self.name.as_slice().into(), number);
        Ok(number)
    }

    /// Lets others know what was met, now that it is committed.
    pub(super) fn share(self) {
        if self.met.is_empty() {
            return;
        }
        let mut known = self.known.0.lock();
        if known.len() + self.met.len() > REMEMBERED_MAX {
            known.clear();
        }
        known.extend(self.met);
    }
}

/// Writes what tells the kind of a call from others: each text behind its length, so that no two
/// kinds give the same.
fn name(record: &CallRecord, name: &mut Vec<u8>) {
    let by = &record.priced_by;
    name.clear();
    name.extend([
        u8::from(record.streamed),
        record.outcome as u8,
        record.exactness as u8,
        by.source as u8,
    ]);
    name.extend(record.status.to_le_bytes());
    let texts = [
        &record.path,
        &record.model_asked,
        &record.model_served,
        &record.client,
        &by.version,
        &record.service_tier,
        &record.speed,
    ];
    for text in texts {
        name.extend(text.len().to_le_bytes());
        name.extend(text.as_bytes());
    }
}

const fn exactness(exactness: Exactness) -> &'static str {
    match exactness {
        Exactness::Exact => "exact",
        Exactness::Estimated => "estimated",
        Exactness::Reserved => "reserved",
    }
}

async fn find_or_add(
    connection: &mut SqliteConnection,
    record: &CallRecord,
) -> Result<i64, StoreError> {
    const FIND: &str = "select id from call_kinds where path = $1 and model_asked = $2 \
         and model_served = $3 and client = $4 and streamed = $5 and status = $6 \
         and outcome = $7 and exactness = $8 and price_version = $9 and price_source = $10 \
         and service_tier = $11 and speed = $12";
    const ADD: &str = "insert into call_kinds (path, model_asked, model_served, client, streamed, \
         status, outcome, exactness, price_version, price_source, service_tier, speed) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning id";
    for statement in [FIND, ADD] {
        let row = sqlx::query(statement)
            .bind(&record.path)
            .bind(&record.model_asked)
            .bind(&record.model_served)
            .bind(&record.client)
            .bind(i64::from(record.streamed))
            .bind(i64::from(record.status))
            .bind(record.outcome.as_str())
            .bind(exactness(record.exactness))
            .bind(&record.priced_by.version)
            .bind(price_source(record.priced_by.source))
            .bind(&record.service_tier)
            .bind(&record.speed)
            .fetch_optional(&mut *connection)
            .await?;
        if let Some(row) = row {
            return Columns::of(&row).take();
        }
    }
    Err(StoreError::Stored("kind of a call"))
}
