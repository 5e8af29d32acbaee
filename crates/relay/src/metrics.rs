//! What the relay counts of its calls and accounts, for a system that watches it.
//!
//! A call records with a few additions to numbers that lie ready: no text is made and no memory is
//! taken. What can be looked at as it is (queues, rests, memory) is looked at when somebody asks.
//!
//! Every label is of a bounded set: no client, model or upstream can make up series.

mod accounts;
mod exposition;
mod listener;
mod process;
mod state;
#[cfg(test)]
mod tests;
mod units;
mod usage;
mod words;

use std::sync::atomic::{AtomicU64, Ordering};

use relay_core::clock::Timestamp;
use relay_core::credential::SignOutCause;
use relay_core::event::Event;
use relay_core::id::AccountId;
use relay_core::model::ModelFamily;
use relay_core::protocol::Service;
use relay_core::usage::{Attempt, CallRecord};

pub use self::accounts::ACCOUNTS_MAX;
pub use self::exposition::{CONTENT_TYPE, Exposition};
pub use self::listener::{listen, serve};

use self::accounts::Accounts;
use self::usage::Usage;
use self::words::Cells;

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    started: Timestamp,
    usage: Usage,
    accounts: Accounts,
    host_rests: Cells<{ words::CAUSES.len() }>,
    events_dropped: Cells<1>,
    settled: Settled,
}

/// What all calls came to since the start: additions alone, for who watches how fast they grow.
#[derive(Debug, Default)]
struct Settled {
    calls: AtomicU64,
    failed: AtomicU64,
    tokens: AtomicU64,
}

/// What all calls came to since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SoFar {
    /// How many ended.
    pub calls: u64,
    /// How many of these accounts or the relay failed.
    pub failed: u64,
    /// Their tokens of every kind.
    pub tokens: u64,
}

/// What came of a refresh of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// The next pair.
    Done,
    /// Nothing; it is tried again.
    Delayed,
}

impl Metrics {
    /// Nothing counted yet, at the start of the program.
    pub fn new(started: Timestamp) -> Self {
        Self {
            started,
            usage: Usage::default(),
            accounts: Accounts::default(),
            host_rests: Cells::default(),
            events_dropped: Cells::default(),
            settled: Settled::default(),
        }
    }

    /// When the program was started.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// Counts a call that left a usage record.
    pub fn settled(&self, service: Service, family: &ModelFamily, record: &CallRecord) {
        self.usage.settled(service, family, record);
        self.accounts.attempts(&record.attempts);
        let settled = &self.settled;
        settled.calls.fetch_add(1, Ordering::Relaxed);
        settled.tokens.fetch_add(record.usage.tokens(), Ordering::Relaxed);
        if record.outcome.is_failure() {
            settled.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What all calls came to since the start.
    pub fn so_far(&self) -> SoFar {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let Settled { calls, failed, tokens } = &self.settled;
        SoFar { calls: read(calls), failed: read(failed), tokens: read(tokens) }
    }

    /// Counts a count of tokens, which leaves no record, and its attempts.
    pub fn counted(&self, service: Service, status: u16, attempts: &[Attempt]) {
        self.usage.counted(service, status);
        self.accounts.attempts(attempts);
    }

    /// Counts an event, as far as there is something to be counted.
    pub fn event(&self, event: &Event) {
        match event {
            Event::AccountRested { account, cause, .. } => {
                self.accounts.with(*account, |counts| counts.rests.add(words::cause(*cause), 1));
            }
            Event::HostRested { cause, .. } => self.host_rests.add(words::cause(*cause), 1),
            Event::AccountRecovered { account } => {
                self.accounts.with(*account, |counts| counts.recoveries.add(0, 1));
            }
            // Sign-outs and refreshes are counted where they happen: not each is an event.
            Event::AccountSignedOut { .. }
            | Event::TokenNotRefreshed { .. }
            | Event::AccountEnding { .. }
            | Event::AccountPaused { .. }
            | Event::AccountResumed { .. }
            | Event::KeyBudget { .. }
            | Event::KeyDisabled { .. } => {}
        }
    }

    /// Counts an event that found no room on its way to the database.
    pub fn event_dropped(&self) {
        self.events_dropped.add(0, 1);
    }

    /// Counts that an account has to be signed in again.
    pub fn signed_out(&self, account: AccountId, cause: SignOutCause) {
        self.accounts.with(account, |counts| counts.sign_outs.add(words::sign_out(cause), 1));
    }

    /// Counts a refresh of an account's token.
    pub fn refreshed(&self, account: AccountId, outcome: Refresh) {
        self.accounts.with(account, |counts| counts.refreshes.add(outcome as usize, 1));
    }
}
