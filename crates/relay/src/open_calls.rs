//! The calls that are open now: what `crs top` shows.
//!
//! Each call has one small record of atomics that its ledger writes and that goes with it. The
//! registry's lock is taken when a call begins and when it ends, never while it streams.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;
use relay_core::clock::Timestamp;
use relay_core::id::{AccountId, CallId};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use utoipa::ToSchema;

use crate::app::App;
use crate::call::Call;
use crate::client_id::ClientId;
use crate::keyring::Holder;

/// What is not known yet.
const UNKNOWN: u64 = u64::MAX;

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CallPhase)]
pub enum Phase {
    /// It has no account: it waits for a place on one.
    Waiting,
    /// An account was asked and has not answered.
    Asking,
    /// The answer is coming.
    Streaming,
}

impl Phase {
    /// The word of tables and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Asking => "asking",
            Self::Streaming => "streaming",
        }
    }

    const fn of(number: u8) -> Self {
        match number {
            1 => Self::Asking,
            2 => Self::Streaming,
            _ => Self::Waiting,
        }
    }
}

/// An open call, as a command is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallLive {
    /// Identity.
    pub id: CallId,
    /// The name of its key.
    pub key: String,
    /// Whose the key is; empty if nobody said.
    pub owner: String,
    /// The name of the account that serves it, or was asked last.
    pub account: Option<String>,
    /// The model that it asks for.
    pub model: String,
    /// When it came.
    pub at: Timestamp,
    /// How long ago that is, by the server's clock.
    pub age_millis: u64,
    /// How far it has come.
    pub phase: Phase,
    /// Whether it asked for a stream.
    pub streamed: bool,
    /// Tokens of its input, caches included, once the provider stated them.
    pub input_tokens: Option<u64>,
    /// Tokens of the answer so far, estimated from its text.
    pub output_tokens: u64,
    /// The client's id; empty if unknown.
    pub client: String,
    /// Attempts until now.
    pub attempts: u32,
    /// The client's address.
    pub address: IpAddr,
}

/// The calls that are open.
#[derive(Debug, Clone, Default)]
pub struct OpenCalls(Arc<Mutex<HashMap<CallId, Arc<Record>>>>);

/// One call, in the registry until this is dropped.
#[derive(Debug)]
pub struct OpenCall {
    record: Arc<Record>,
    among: OpenCalls,
}

#[derive(Debug)]
struct Record {
    id: CallId,
    at: Timestamp,
    holder: Arc<Holder>,
    model: String,
    client: ClientId,
    address: IpAddr,
    streamed: bool,
    /// 0 is none.
    account: AtomicI64,
    attempts: AtomicU32,
    phase: AtomicU8,
    input: AtomicU64,
    output: AtomicU64,
    cancelled: AtomicBool,
    cancel: Notify,
}

impl OpenCalls {
    /// Takes a call in.
    pub fn enter(&self, call: &Call) -> OpenCall {
        let record = Arc::new(Record {
            id: call.id,
            at: call.at,
            holder: Arc::clone(&call.holder),
            model: call.model.clone(),
            client: call.client.clone(),
            address: call.address,
            streamed: call.streamed,
            account: AtomicI64::new(0),
            attempts: AtomicU32::new(0),
            phase: AtomicU8::new(Phase::Waiting as u8),
            input: AtomicU64::new(UNKNOWN),
            output: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
            cancel: Notify::new(),
        });
        self.0.lock().insert(call.id, Arc::clone(&record));
        OpenCall { record, among: self.clone() }
    }

    /// Tells a call that it is to end. Says whether it is open.
    pub fn cancel(&self, call: CallId) -> bool {
        let Some(record) = self.0.lock().get(&call).cloned() else { return false };
        record.cancelled.store(true, Ordering::Release);
        record.cancel.notify_waiters();
        true
    }

    /// Whether a call is open.
    pub fn has(&self, call: CallId) -> bool {
        self.0.lock().contains_key(&call)
    }

    /// How many are in each phase.
    pub fn by_phase(&self) -> [(Phase, usize); 3] {
        let mut counts = [Phase::Waiting, Phase::Asking, Phase::Streaming].map(|it| (it, 0));
        for record in self.0.lock().values() {
            counts[Phase::of(record.phase.load(Ordering::Relaxed)) as usize].1 += 1;
        }
        counts
    }
}

impl OpenCall {
    /// An attempt begins on this account.
    pub fn asks(&self, account: AccountId) {
        self.record.account.store(account.0, Ordering::Relaxed);
        self.record.attempts.fetch_add(1, Ordering::Relaxed);
        self.is(Phase::Asking);
    }

    /// Whether it was told to end.
    pub fn is_cancelled(&self) -> bool {
        self.record.cancelled.load(Ordering::Acquire)
    }

    /// Resolves when it is told to end.
    pub fn until_cancelled(&self) -> impl Future<Output = ()> + Send + 'static {
        let record = Arc::clone(&self.record);
        async move {
            let mut told = pin!(record.cancel.notified());
            told.as_mut().enable();
            if !record.cancelled.load(Ordering::Acquire) {
                told.await;
            }
        }
    }

    /// The call has come so far.
    pub fn is(&self, phase: Phase) {
        self.record.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// The answer has come so far; an input of 0 is not known.
    pub fn counts(&self, input: u64, output: u64) {
        if input > 0 {
            self.record.input.store(input, Ordering::Relaxed);
        }
        self.record.output.store(output, Ordering::Relaxed);
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.among.0.lock().remove(&self.record.id);
    }
}

/// Every open call, the oldest first.
pub fn list(app: &App) -> Vec<CallLive> {
    let now = app.now();
    let records: Vec<_> = app.open_calls.0.lock().values().cloned().collect();
    let mut calls: Vec<_> = records.iter().map(|record| record.shown(app, now)).collect();
    calls.sort_by_key(|call| (call.at, call.id));
    calls
}

impl Record {
    fn shown(&self, app: &App, now: Timestamp) -> CallLive {
        let account = AccountId(self.account.load(Ordering::Relaxed));
        let input = self.input.load(Ordering::Relaxed);
        CallLive {
            id: self.id,
            key: self.holder.key.name.clone(),
            owner: self.holder.key.owner.clone(),
            account: app.roster.find(account).map(|member| member.account.name.clone()),
            model: self.model.clone(),
            at: self.at,
            age_millis: u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX),
            phase: Phase::of(self.phase.load(Ordering::Relaxed)),
            streamed: self.streamed,
            input_tokens: (input != UNKNOWN).then_some(input),
            output_tokens: self.output.load(Ordering::Relaxed),
            client: self.client.as_str().to_owned(),
            attempts: self.attempts.load(Ordering::Relaxed),
            address: self.address,
        }
    }
}
