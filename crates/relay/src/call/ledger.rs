//! What happened to a call, settled exactly once: by its end, or by being dropped.

mod record;
mod spent;

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use relay_core::account::Account;
use relay_core::clock::Timestamp;
use relay_core::event::Event;
use relay_core::health::{RestCause, Scope};
use relay_core::id::AccountId;
use relay_core::usage::{Attempt, Exactness, OpenAttempt, Outcome, TokenUsage};
use relay_store::journal::Position;
use relay_store::slots::Slot;
use relay_upstream::fault::Fault;
use relay_wire::meter::{Meter, Metered};
use tokio::time::Instant;

use super::Call;
use super::doubt::Doubt;
use crate::app::App;
use crate::failure::{Busy, Failure};
use crate::open_calls::{OpenCall, Phase};
use crate::roster::{Member, Probe};
use crate::shutdown::Stage;

/// The status of a call whose client left before it was answered, as nginx logs it.
const CLIENT_CLOSED_REQUEST: u16 = 499;
/// The status of a call that an administrator ended before it was answered.
const CANCELLED: u16 = 403;

/// A call in progress: who serves it, what it has used, and how it is written down.
///
/// Dropping it without [`Ledger::settle`] means that the client left (or that the program is
/// stopping): it is then settled from what the stream had said.
#[derive(Debug)]
pub(super) struct Ledger {
    app: Arc<App>,
    call: Box<Call>,
    meter: Meter,
    attempts: Vec<Attempt>,
    current: Option<Current>,
    first_byte: Option<Duration>,
    upstream_time: Duration,
    state: State,
    shown: OpenCall,
}

/// The attempt under way.
#[derive(Debug)]
struct Current {
    member: Arc<Member>,
    started: Instant,
    /// When the request went out.
    sent: Timestamp,
    status: Option<u16>,
    broke: Option<&'static str>,
    _slot: Slot,
    probe: Option<Probe>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Settled without a record: nothing was asked of anyone, or nothing that is billed.
    Settled,
    Recorded,
}

/// How a call ended, and what the client was told.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    /// How.
    pub(super) outcome: Outcome,
    /// The status that the client got.
    pub(super) status: u16,
}

impl Ledger {
    /// Opens the ledger of a call.
    pub(super) fn new(app: Arc<App>, call: Box<Call>) -> Self {
        Self {
            shown: app.open_calls.enter(&call),
            app,
            meter: Meter::of(call.endpoint.protocol()),
            call,
            attempts: Vec::new(),
            current: None,
            first_byte: None,
            upstream_time: Duration::ZERO,
            state: State::Open,
        }
    }

    /// The call.
    pub(super) fn call(&self) -> &Call {
        &self.call
    }

    /// What calls share.
    pub(super) fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// The meter of the answer.
    pub(super) fn meter(&mut self) -> &mut Meter {
        &mut self.meter
    }

    /// The call, and the meter of its answer.
    pub(super) fn parts(&mut self) -> (&Call, &mut Meter) {
        (&self.call, &mut self.meter)
    }

    /// Shows how far the answer has come.
    pub(super) fn show_progress(&self) {
        let (input, output) = self.meter.so_far();
        self.shown.counts(input, output);
    }

    /// The account that is being asked.
    pub(super) fn account(&self) -> Option<&Account> {
        self.current.as_ref().map(|current| &current.member.account)
    }

    /// Whether an administrator ended the call.
    pub(super) fn is_cancelled(&self) -> bool {
        self.shown.is_cancelled()
    }

    /// Resolves when the open calls are ended, or this one is.
    pub(super) fn broken_off(&self) -> impl Future<Output = Failure> + Send + 'static {
        let ending = self.app.shutdown.reached(Stage::Ending);
        let cancelled = self.shown.until_cancelled();
        async move {
            tokio::select! {
                () = cancelled => Failure::Cancelled,
                () = ending => Busy::Stopping.into(),
            }
        }
    }

    /// Whether the call is not settled yet.
    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// How many attempts were begun.
    pub(super) fn attempts(&self) -> usize {
        self.attempts.len() + usize::from(self.current.is_some())
    }

    /// Time spent waiting for upstreams until now.
    pub(super) fn upstream_time(&self) -> Duration {
        self.upstream_time
    }

    /// Whether the settled call left a usage record.
    pub(super) fn has_record(&self) -> bool {
        self.state == State::Recorded
    }

    /// Begins an attempt: it stands in the journal before anything is sent.
    pub(super) fn begin(
        &mut self,
        member: Arc<Member>,
        slot: Slot,
        probe: Option<Probe>,
    ) -> Result<(), Failure> {
        let now = self.app.now();
        if !self.call.endpoint.only_counts() {
            let attempt = self.open_attempt(member.account.id);
            self.app.journal.opened(attempt).map_err(|error| {
                tracing::error!(%error, call = %self.call.id, "no record can be written; the call is refused");
                Failure::Busy(Busy::JournalFull)
            })?;
            self.call.holder.allowance.used(self.call.at);
        }
        member.shared.used(now);
        self.shown.asks(member.account.id);
        self.current = Some(Current {
            member,
            started: Instant::now(),
            sent: now,
            status: None,
            broke: None,
            _slot: slot,
            probe,
        });
        Ok(())
    }

    fn open_attempt(&self, account: AccountId) -> OpenAttempt {
        let expected = &self.call.expected;
        OpenAttempt {
            call: self.call.id,
            key: self.call.holder.key.id,
            account,
            model: self.call.model.clone(),
            at: self.call.at,
            number: u32::try_from(self.attempts() + 1).unwrap_or(u32::MAX),
            reserved: expected.usage,
            reserved_cost: expected.amount.cost,
            priced_by: expected.priced_by.clone(),
            window: self.window(),
        }
    }

    /// Takes note that the answer under way broke off.
    pub(super) fn broke(&mut self, why: &'static str) {
        if let Some(current) = &mut self.current {
            current.broke = Some(why);
        }
    }

    /// Whether a fault says something of the account. Hosts that cannot count tokens answer a
    /// count with all kinds of errors, and still serve conversations. Counts have a limit of their
    /// own by the minute; only a window that they name is one of conversations too.
    fn is_evidence(&self, fault: &Fault) -> bool {
        let of_counts_too = match fault.evidence.cause {
            RestCause::Overloaded | RestCause::Unauthorised => true,
            RestCause::RateLimited => fault.evidence.scope != Scope::Asked,
            _ => false,
        };
        !self.call.endpoint.only_counts() || of_counts_too
    }

    /// Ends the attempt for a fault. What it says of the account is in doubt until that is
    /// confirmed or withdrawn.
    pub(super) fn fault(&mut self, fault: &Fault) -> Doubt {
        let Some(mut current) = self.current.take() else { return Doubt::none() };
        self.upstream_time += current.started.elapsed();
        tracing::warn!(
            call = %self.call.id,
            account = %current.member.account.name,
            fault = fault.word,
            status = fault.status,
            "an attempt failed"
        );
        self.meter = Meter::of(self.call.endpoint.protocol());
        self.shown.is(Phase::Waiting);
        self.attempts.push(Attempt {
            fault: Some(fault.word.to_owned()),
            status: fault.status,
            maybe_billed: fault.maybe_billed,
            ..self.attempt_of(&current)
        });
        if !self.is_evidence(fault) {
            return Doubt::none();
        }
        let (probe, sent) = (current.probe.take(), current.sent);
        let call = (self.call.id, self.call.model_family.clone());
        Doubt::new(self.app.clone(), current.member, call, (fault.clone(), sent), probe)
    }

    /// Takes note that the upstream answers.
    pub(super) fn answer_begins(&mut self, status: StatusCode) {
        self.first_byte = Some(self.call.started.elapsed());
        self.shown.is(Phase::Streaming);
        let Some(current) = &mut self.current else { return };
        current.status = Some(status.as_u16());
        self.upstream_time += current.started.elapsed();
        // The account is found able or not by now, however long the answer takes.
        current.probe = None;
    }

    /// Takes note that the account serves: its rests are over and the conversation stays with it.
    /// A count of tokens, which costs nothing, shows only that it counts.
    pub(super) fn account_serves(&mut self, keep_pin: KeepPin) {
        let Some(current) = &self.current else { return };
        if self.call.endpoint.only_counts() {
            return;
        }
        let now = self.app.now();
        let account = current.member.account.id;
        current.member.host.answered(&self.call.model_family, current.sent);
        if current.member.shared.notes.answered(&self.call.model_family, current.sent) {
            let name = &current.member.account.name;
            tracing::info!(account = %name, call = %self.call.id, "{name} answers again");
            self.app.outbox.emit(Event::AccountRecovered { account }, now);
        }
        if let (Some(session), KeepPin::No) = (self.call.session, keep_pin) {
            self.app.pins.set(session, account, now);
        }
    }

    fn attempt_of(&self, current: &Current) -> Attempt {
        let millis = current.started.elapsed().as_millis();
        let into_call = current.started.duration_since(self.call.started);
        Attempt {
            account: current.member.account.id,
            at: self.call.at.plus(into_call),
            millis: u64::try_from(millis).unwrap_or(u64::MAX),
            status: current.status,
            fault: current.broke.map(str::to_owned),
            maybe_billed: false,
        }
    }

    /// Settles from what the meter saw. Returns where the record stands in the journal.
    pub(super) fn settle(&mut self, end: End) -> Option<Position> {
        let mut metered = self.meter.metered();
        if !self.meter.input_known() {
            let expected = self.call.expected.usage;
            metered.usage = TokenUsage { output: metered.usage.output, ..expected };
        }
        self.settle_metered(end, metered)
    }

    /// Settles at what the call was expected to use: the answer is unknown.
    pub(super) fn settle_reserved(&mut self, end: End) -> Option<Position> {
        let usage = self.call.expected.usage;
        self.settle_metered(end, Metered { usage, ..unstated(Exactness::Reserved) })
    }

    /// Settles at nothing: the upstream refused, and billed nothing.
    pub(super) fn settle_free(&mut self, end: End) -> Option<Position> {
        self.settle_metered(end, unstated(Exactness::Exact))
    }

    /// Settles at `metered`. The record stands in the journal when this returns.
    pub(super) fn settle_metered(&mut self, end: End, metered: Metered) -> Option<Position> {
        if self.state != State::Open {
            return None;
        }
        self.state = State::Settled;
        if let Some(current) = self.current.take() {
            self.attempts.push(self.attempt_of(&current));
        }
        // Without an attempt nothing was asked of anyone: that is a refusal, counted elsewhere.
        let account = self.attempts.last()?.account;
        let service = self.call.service;
        if self.call.endpoint.only_counts() {
            self.app.metrics.counted(service, end.status, &self.attempts);
            return None;
        }
        self.state = State::Recorded;
        let record = self.record(account, end, metered);
        self.log(&record);
        self.app.metrics.settled(service, &self.call.model_family, &record);
        self.settle_key(&record);
        self.spend(&record);
        self.app.bookkeeping.settle(&self.app.journal, record)
    }
}

/// Whether the conversation's pin stays where it is although another account answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeepPin {
    /// Its account was only busy.
    Yes,
    /// It follows the answer.
    No,
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if self.state != State::Open {
            return;
        }
        let outcome = match (self.is_cancelled(), self.app.shutdown.is_ending()) {
            (true, _) => Outcome::Cancelled,
            (false, true) => Outcome::Shutdown,
            (false, false) => Outcome::ClientLeft,
        };
        let status = match outcome {
            _ if self.first_byte.is_some() => 200,
            Outcome::Cancelled => CANCELLED,
            _ => CLIENT_CLOSED_REQUEST,
        };
        let end = End { outcome, status };
        if self.current.is_none() {
            // Between attempts: those before were refused, or given up.
            self.settle_free(end);
        } else if self.call.streamed || self.meter.saw_start() {
            // A stream is settled from what it had said; of a unary answer nothing is known.
            self.settle(end);
        } else {
            self.settle_reserved(end);
        }
    }
}

fn unstated(exactness: Exactness) -> Metered {
    Metered {
        usage: TokenUsage::default(),
        exactness,
        model_served: String::new(),
        service_tier: String::new(),
        speed: String::new(),
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
