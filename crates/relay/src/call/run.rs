//! The one failover loop: attempts, until an account answers or none is left.

use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use relay_core::health::RestCause;
use relay_core::id::AccountId;
use relay_core::protocol::Family;
use relay_core::schedule::{AccountView, Demand, NoCapacity, all_rest};
use relay_core::usage::Outcome;
use relay_upstream::fault::Fault;

use super::attempt::{Reply, attempt};
use super::ledger::{End, Ledger};
use super::pick::{Picked, pick};
use super::{Call, CallBody};
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

/// Makes attempts until an account answers. Nothing has been passed on to the client when this
/// returns, and an error is already settled.
pub(super) async fn run(
    mut ledger: Ledger,
    mut body: CallBody,
    left: &ClientLeft,
) -> Result<(Reply, Ledger), Unserved> {
    let mut tried: Vec<AccountId> = Vec::new();
    let mut last: Option<Fault> = None;
    loop {
        let app = ledger.app().clone();
        let settings = &app.settings.calls;
        let number = ledger.attempts() + 1;
        let is_over = |call: &Call| {
            let too_late = number > 1 && call.started.elapsed() > settings.attempts_within;
            number > settings.attempts_max || too_late || left.is_set()
        };
        if is_over(ledger.call()) {
            return Err(give_up(ledger, NoCapacity::NoneAble, last));
        }
        let Picked { member, slot, probe, keep_pin } = match pick(&app, ledger.call(), &tried).await
        {
            // A pick may have to wait.
            Ok(_) if is_over(ledger.call()) => {
                return Err(give_up(ledger, NoCapacity::NoneAble, last));
            }
            Ok(picked) => picked,
            Err(none) => return Err(give_up(ledger, none, last)),
        };
        let Some(bytes) = body.for_attempt(number == settings.attempts_max) else {
            return Err(give_up(ledger, NoCapacity::NoneAble, last));
        };
        tried.push(member.account.id);
        if let Err(failure) = ledger.begin(member.clone(), slot, probe) {
            return Err(end(ledger, failure));
        }
        let (call, meter) = ledger.parts();
        match attempt(&app, call, &member, bytes, meter).await {
            Ok(reply) => {
                ledger.account_answers(reply.status(), keep_pin);
                return Ok((reply, ledger));
            }
            Err(fault) => {
                ledger.fault(&fault);
                last = Some(fault);
            }
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
    let views: Vec<AccountView<'_>> =
        members.iter().map(|member| member.view(&call.model_family, now)).collect();
    let want = Demand {
        service: call.service,
        model: &call.model,
        pool: call.holder.key.pool(call.service),
        pinned: None,
        tried: &[],
    };
    let rest = all_rest(&views, &want, now);
    if let Some(reason) = rest
        && matches!(reason, NoCapacity::AllRest { cause: Some(cause), .. } if is_limit(cause))
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

/// Causes that have a status of their own when all accounts rest for them.
const fn is_limit(cause: RestCause) -> bool {
    matches!(cause, RestCause::RateLimited | RestCause::Overloaded)
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
