//! The one failover loop: attempts, until an account answers or none is left.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use relay_core::health::{RestCause, RestKind};
use relay_core::id::AccountId;
use relay_core::protocol::Family;
use relay_core::schedule::{NoCapacity, all_rest};
use relay_core::usage::Outcome;
use relay_upstream::fault::Fault;
use tokio::time::timeout;

use super::attempt::{Failed, Patience, Reply, attempt};
use super::doubt::Doubt;
use super::ledger::{End, Ledger};
use super::pick::{Picked, demand, open_members, pick, views};
use super::{Call, CallBody};
use crate::app::App;
use crate::failure::{Failure, Recorded, Unserved};

/// Tells a running call that nobody waits for its answer any more.
#[derive(Debug, Default)]
pub(super) struct ClientLeft(AtomicBool);

impl ClientLeft {
    /// The client left: what is under way goes on, nothing new is begun.
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// How long a fault is held in doubt at most: whether a second account answers the same is mostly
/// known sooner, and until then calls go on asking the first.
const DOUBT_MAX: Duration = Duration::from_secs(1);

/// Makes attempts until an account answers. Nothing has been passed on to the client when this
/// returns, and an error is already settled.
pub(super) async fn run(
    mut ledger: Ledger,
    mut body: CallBody,
    left: &ClientLeft,
) -> Result<(Reply, Ledger), Unserved> {
    let mut tried: Vec<AccountId> = Vec::new();
    let mut last: Option<Fault> = None;
    let mut doubt = Doubt::none();
    loop {
        let app = ledger.app().clone();
        let settings = &app.settings.calls;
        let number = ledger.attempts() + 1;
        let is_over = |call: &Call| {
            let too_late = number > 1 && call.started.elapsed() > settings.attempts_within;
            number > settings.attempts_max || too_late || left.is_set()
        };
        if is_over(ledger.call()) {
            drop(doubt);
            return Err(give_up(ledger, NoCapacity::NoneAble, last));
        }
        let picked = match pick(&app, ledger.call(), &tried).await {
            // A pick may have to wait.
            Ok(_) if is_over(ledger.call()) || !app.may_try(number) => Err(NoCapacity::NoneAble),
            picked => picked,
        };
        let Picked { member, slot, probe, keep_pin } = match picked {
            Ok(picked) => picked,
            Err(none) => {
                drop(doubt);
                return Err(give_up(ledger, none, last));
            }
        };
        let is_last = number == settings.attempts_max;
        let Some(bytes) = body.for_attempt(is_last) else {
            return Err(give_up(ledger, NoCapacity::NoneAble, last));
        };
        tried.push(member.account.id);
        let patience = patience(&app, ledger.call(), &tried, probe.is_some() && !is_last);
        if let Err(failure) = ledger.begin(member.clone(), slot, probe) {
            return Err(end(ledger, failure));
        }
        let (call, meter) = ledger.parts();
        let attempt = attempt(&app, call, &member, (bytes, patience), meter);
        match in_doubt_at_most(DOUBT_MAX, &mut doubt, attempt).await {
            Ok(reply) => {
                ledger.account_answers(reply.status(), keep_pin);
                return Ok((reply, ledger));
            }
            Err(Failed { fault, answer }) => {
                let again = fault
                    .trouble()
                    .filter(|it| last.as_ref().and_then(Fault::trouble) == Some(*it));
                let new = ledger.fault(&fault);
                if again.is_some() {
                    // Two accounts say the same of this call: it is the cause, and gets to know.
                    doubt.withdraw();
                    new.withdraw();
                    return match answer {
                        Some(answer) => Ok((Reply::Whole(answer), ledger)),
                        None => Err(give_up(ledger, NoCapacity::NoneAble, Some(fault))),
                    };
                }
                // What came before is confirmed; this is in doubt if the call can be its cause.
                doubt = if fault.trouble().is_some() { new } else { Doubt::none() };
                last = Some(fault);
            }
        }
    }
}

/// A trial is short where another account could answer instead.
fn patience(app: &App, call: &Call, tried: &[AccountId], is_trial: bool) -> Patience {
    if is_trial && !open_members(app, call, tried).is_empty() {
        Patience::Short
    } else {
        Patience::Usual
    }
}

/// Awaits `attempt`; a fault that is still in doubt after `span` is the account's.
async fn in_doubt_at_most<T>(
    span: Duration,
    doubt: &mut Doubt,
    attempt: impl Future<Output = T>,
) -> T {
    let mut attempt = pin!(attempt);
    match timeout(span, attempt.as_mut()).await {
        Ok(outcome) => outcome,
        Err(_) => {
            drop(std::mem::replace(doubt, Doubt::none()));
            attempt.await
        }
    }
}

/// Ends a call that no account answers, and says why.
fn give_up(ledger: Ledger, none: NoCapacity, last: Option<Fault>) -> Unserved {
    let now = ledger.app().now();
    let failure = match last {
        None => Failure::Capacity { reason: none, at: now },
        Some(fault) => after(&ledger, &fault),
    };
    end(ledger, failure)
}

/// Settles a call that ends without an answer.
fn end(mut ledger: Ledger, failure: Failure) -> Unserved {
    let status = failure.face(ledger.call().family).status.as_u16();
    ledger.settle_free(End { outcome: Outcome::Failed, status });
    let recorded = if ledger.has_record() { Recorded::Yes } else { Recorded::No };
    Unserved { failure, recorded, upstream: ledger.upstream_time() }
}

/// What a client is told after the attempts that were made: the limit that all accounts rest for,
/// else what befell the last attempt.
fn after(ledger: &Ledger, fault: &Fault) -> Failure {
    let (app, call) = (ledger.app(), ledger.call());
    let now = app.now();
    let members = app.roster.snapshot();
    let rest = all_rest(&views(app, &members, call), &demand(call, None, &[]));
    if let Some(reason) = rest
        && matches!(reason, NoCapacity::AllRest { kind: RestKind::Limit | RestKind::Overload, .. })
    {
        return Failure::Capacity { reason, at: now };
    }
    let retry_after = match rest {
        Some(NoCapacity::AllRest { reopens_at, .. }) => Some(reopens_at.since(now)),
        _ => None,
    };
    let message = fault.said.clone().unwrap_or_else(|| told(fault.word).to_owned());
    Failure::Upstream { status: status(fault, call.family), message, retry_after }
}

fn status(fault: &Fault, family: Family) -> StatusCode {
    let status = match (fault.evidence.cause, fault.status) {
        (RestCause::RateLimited, _) => 429,
        (RestCause::Overloaded, _) if family == Family::Anthropic => 529,
        (RestCause::Failing, Some(status)) if status >= 500 => status,
        (RestCause::Unreachable, _) if fault.is_timeout() => 504,
        (RestCause::Unreachable, _) => 502,
        _ => 503,
    };
    StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY)
}

/// A fault in words, where the upstream had none.
fn told(word: &str) -> &'static str {
    match word {
        "unreachable" | "connect_timeout" => "the provider cannot be reached",
        "first_byte_timeout" | "answer_timeout" | "stream_idle" => {
            "the provider did not answer in time"
        }
        "connection_broken" | "cut_before_content" => "the provider broke off its answer",
        "unauthorised" => "the provider does not accept the account's credential",
        "rate_limited" => "the account is at its limit",
        "overloaded" => "the provider is overloaded",
        "redirected" => "the account's address redirects to another",
        _ => "the provider failed",
    }
}
