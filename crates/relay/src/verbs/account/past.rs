//! What befell an account: its faults, its rests and how they ended, and when it was able.

mod ability;
mod words;

use std::time::Duration;

use jiff::tz::TimeZone;
use relay_core::clock::Timestamp;
use relay_core::event::Event;
use relay_core::id::CallId;
use relay_store::Store;
use relay_store::accounts::StoredAccount;
use relay_store::changes::Op;
use relay_store::outbox::{OUTBOX_MAX, PendingEvent};
use relay_store::usage::RETRIED_READ_MAX;
use serde::Serialize;
use utoipa::ToSchema;

pub use self::ability::{AbilityView, StretchView};
use self::ability::{Happened, Turn};
pub use self::words::fault_words;
use crate::text::{Language, retold};
use crate::verbs::{VerbError, moment};

/// How far back faults are looked for.
const FAULTS_WITHIN: Duration = Duration::from_hours(7 * 24);
/// Faults and events that are shown of an account.
const SHOWN_MAX: usize = 50;

/// An attempt on an account that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FaultView {
    /// The call.
    #[schema(value_type = String)]
    pub call: CallId,
    /// When the attempt went out.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The model that was asked for.
    pub model: String,
    /// The upstream's status, if it came to one.
    pub status: Option<u16>,
    /// Why it failed, in one word.
    pub fault: String,
    /// The same for people.
    pub words: String,
}

/// Something that happened to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EventView {
    /// When.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What, in one word.
    pub name: String,
    /// Until when, of a rest.
    #[serde(serialize_with = "moment::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// The same for people.
    pub words: String,
}

/// Who reads, where and when.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// The zone in which people read times.
    pub zone: &'a TimeZone,
    /// Their language.
    pub language: Language,
    /// The present.
    pub now: Timestamp,
}

/// The latest attempts on an account that failed, newest first: those of the last week, and of its
/// last few thousand calls with a failure.
pub async fn faults(
    store: &Store,
    stored: &StoredAccount,
    reader: Reader<'_>,
) -> Result<Vec<FaultView>, VerbError> {
    let (id, since) = (stored.account.id, reader.now.minus(FAULTS_WITHIN));
    // A call may have failed on another account alone, and been served by this one.
    let calls = store.calls_that_failed_on(id, since, RETRIED_READ_MAX.min(500)).await?;
    let failed = calls.iter().flat_map(|record| {
        let its = record.attempts.iter().filter(|attempt| attempt.account == id);
        its.filter_map(move |attempt| Some((record, attempt, attempt.fault.as_deref()?)))
    });
    let view = |(record, attempt, fault): (&relay_core::usage::CallRecord, _, &str)| {
        let attempt: &relay_core::usage::Attempt = attempt;
        FaultView {
            call: record.call,
            at: attempt.at,
            model: record.model_asked.clone(),
            status: attempt.status,
            fault: fault.to_owned(),
            words: retold(&fault_words(fault), reader.language),
        }
    };
    let mut views: Vec<_> = failed.map(view).collect();
    views.sort_by_key(|view| std::cmp::Reverse(view.at));
    views.truncate(SHOWN_MAX);
    Ok(views)
}

/// What happened to an account and to its host, newest first.
pub async fn events(
    store: &Store,
    stored: &StoredAccount,
    host: &str,
    reader: Reader<'_>,
) -> Result<Vec<EventView>, VerbError> {
    let limit = u32::try_from(SHOWN_MAX).unwrap_or(u32::MAX);
    let events = store.account_events(stored.account.id, host, limit).await?;
    Ok(events.iter().map(|pending| view(pending, reader)).collect())
}

/// When an account was able from `from` to `to`, as far as events tell, oldest first.
pub async fn ability(
    store: &Store,
    stored: &StoredAccount,
    host: &str,
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<StretchView>, VerbError> {
    let account = &stored.account;
    let limit = u32::try_from(OUTBOX_MAX).unwrap_or(u32::MAX);
    let events = store.account_events(account.id, host, limit).await?;
    let edits = store.account_edits_since(account.id, account.created_at).await?;
    let known_from = store.events_known_from().await?;
    let mut happened: Vec<Happened> = events
        .iter()
        .filter_map(|pending| Some(Happened { at: pending.at, turn: turn(&pending.event)? }))
        .chain(edits.iter().filter_map(|(op, at)| match op {
            Op::Reset => Some(Happened { at: *at, turn: Turn::Reset }),
            Op::Changed => Some(Happened { at: *at, turn: Turn::Edited }),
            Op::Added | Op::Removed | Op::Restored | Op::Refreshed => None,
        }))
        .collect();
    happened.sort_by_key(|it| it.at);
    let known_from = known_from.unwrap_or(account.created_at).max(account.created_at);
    let from = from.max(account.created_at);
    Ok(ability::stretches(&happened, stored, known_from, (from, to)))
}

fn turn(event: &Event) -> Option<Turn> {
    match event {
        Event::AccountRested { until, .. } | Event::HostRested { until, .. } => {
            Some(Turn::Rested(*until))
        }
        Event::AccountRecovered { .. } => Some(Turn::Recovered),
        Event::AccountSignedOut { .. } => Some(Turn::SignedOut),
        Event::AccountPaused { .. } => Some(Turn::Paused),
        Event::AccountResumed { .. } => Some(Turn::Resumed),
        Event::TokenNotRefreshed { .. }
        | Event::AccountEnding { .. }
        | Event::KeyBudget { .. }
        | Event::KeyDisabled { .. } => None,
    }
}

fn view(pending: &PendingEvent, reader: Reader<'_>) -> EventView {
    let until = match &pending.event {
        Event::AccountRested { until, .. } | Event::HostRested { until, .. } => Some(*until),
        _ => None,
    };
    let words = words::of_event(&pending.event, pending.at, reader.zone);
    EventView {
        at: pending.at,
        name: pending.event.name().to_owned(),
        until,
        words: retold(&words, reader.language),
    }
}
