//! The one failover loop: attempts, until an account answers or none is left.

use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use relay_core::health::{RestCause, RestKind};
use relay_core::id::AccountId;
use relay_core::protocol::Family;
use relay_core::schedule::{NoCapacity, all_rest};
use relay_core::usage::Outcome;
use relay_upstream::fault::{Fault, Trouble};

use super::attempt::{Failed, Reply, attempt};
use super::deadlines::Patience;
use super::doubt::Doubt;
use super::ledger::{End, Ledger};
use super::pick::{Picked, demand, held, open_members, pick, views};
use super::{Call, CallBody};
use crate::app::App;
use crate::failure::{A_MOMENT, Failure, Recorded, Unserved};

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

/// The faults of a call that it may be the cause of itself.
type InDoubt = Vec<(Trouble, Doubt)>;

/// Why there is no further attempt.
enum Stop {
    /// No other account could tell whose the faults so far are: they are the accounts'.
    Out(NoCapacity),
    /// Another account could tell, and may not be asked.
    Untold,
}

/// Makes attempts until an account answers. Nothing has been passed on to the client when this
/// returns, and an error is already settled.
pub(super) async fn run(
    mut ledger: Ledger,
    mut body: CallBody,
    left: &ClientLeft,
) -> Result<(Reply, Ledger), Unserved> {
    let app = ledger.app().clone();
    let mut tried: Vec<AccountId> = Vec::new();
    let mut last: Option<Fault> = None;
    let mut in_doubt: InDoubt = Vec::new();
    loop {
        let picked = match next(&ledger, &tried, left).await {
            Ok(picked) => picked,
            Err(Stop::Untold) => return Err(give_up(ledger, NoCapacity::NoneAble, last)),
            Err(Stop::Out(none)) => {
                confirm(in_doubt);
                return Err(give_up(ledger, none, last));
            }
        };
        let Picked { member, slot, probe, keep_pin } = picked;
        let is_last = tried.len() + 1 == app.settings.calls.attempts_max;
        let Some(bytes) = body.for_attempt(is_last) else {
            return Err(give_up(ledger, NoCapacity::NoneAble, last));
        };
        tried.push(member.account.id);
        let patience = patience(&app, ledger.call(), &tried, probe.is_some() && !is_last);
        if let Err(failure) = ledger.begin(member.clone(), slot, probe) {
            return Err(end(ledger, failure));
        }
        let (call, meter) = ledger.parts();
        match attempt(&app, call, &member, (bytes, patience), meter).await {
            Ok(reply) => {
                ledger.answer_begins(reply.status());
                if reply.is_good() {
                    // Nothing was wrong with the call.
                    confirm(in_doubt);
                    ledger.account_serves(keep_pin);
                }
                return Ok((reply, ledger));
            }
            Err(Failed { fault, answer }) => {
                let doubt = ledger.fault(&fault);
                let Some(trouble) = fault.trouble() else {
                    doubt.confirm();
                    last = Some(fault);
                    continue;
                };
                let again = in_doubt.iter().any(|(known, _)| *known == trouble);
                in_doubt.push((trouble, doubt));
                if again {
                    // Two accounts say the same of this call: it is the cause, and gets to know.
                    withdraw(in_doubt);
                    return match answer {
                        Some(answer) => Ok((Reply::Whole(*answer), ledger)),
                        None => Err(give_up(ledger, NoCapacity::NoneAble, Some(fault))),
                    };
                }
                last = Some(fault);
            }
        }
    }
}

fn confirm(in_doubt: InDoubt) {
    for (_, doubt) in in_doubt {
        doubt.confirm();
    }
}

fn withdraw(in_doubt: InDoubt) {
    for (_, doubt) in in_doubt {
        doubt.withdraw();
    }
}

/// The account of the next attempt, if there may be one.
async fn next(ledger: &Ledger, tried: &[AccountId], left: &ClientLeft) -> Result<Picked, Stop> {
    let (app, call) = (ledger.app(), ledger.call());
    let settings = &app.settings.calls;
    let number = tried.len() + 1;
    let is_over = || {
        let too_late = number > 1 && call.started.elapsed() > settings.attempts_within;
        number > settings.attempts_max || too_late
    };
    if left.is_set() {
        return Err(Stop::Untold);
    }
    if is_over() {
        // Where a call has one attempt, no other account ever tells.
        let nobody_tells = settings.attempts_max == 1 || open_members(app, call, tried).is_empty();
        return Err(if nobody_tells { Stop::Out(NoCapacity::NoneAble) } else { Stop::Untold });
    }
    let picked = pick(app, call, tried).await.map_err(Stop::Out)?;
    // A pick may have to wait.
    let may_begin = !left.is_set() && !is_over() && app.may_try(number);
    if may_begin { Ok(picked) } else { Err(Stop::Untold) }
}

/// A trial is short where another account could answer instead.
fn patience(app: &App, call: &Call, tried: &[AccountId], is_trial: bool) -> Patience {
    if is_trial && !open_members(app, call, tried).is_empty() {
        Patience::Short
    } else {
        Patience::Usual
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
/// else what befell the last attempt. A limit of some is not told as one: others are open.
fn after(ledger: &Ledger, fault: &Fault) -> Failure {
    let (app, call) = (ledger.app(), ledger.call());
    let now = app.now();
    let members = app.roster.snapshot();
    let rest = all_rest(&views(app, &members, call), &demand(call, held(app, call), &[]));
    if let Some(reason) = rest
        && matches!(reason, NoCapacity::AllRest { kind: RestKind::Limit | RestKind::Overload, .. })
    {
        return Failure::Capacity { reason, at: now };
    }
    let cause = fault.evidence.cause;
    let is_limit = cause.kind() != RestKind::Fault;
    // Nobody rests for a limit of counts, so it is told as the provider did.
    let of_counts = call.endpoint.only_counts() && cause == RestCause::RateLimited;
    let retry_after = match rest {
        Some(NoCapacity::AllRest { reopens_at, .. }) => Some(reopens_at.since(now)),
        _ if of_counts => {
            let wait = fault.evidence.stated_reset.map(|at| at.since(now));
            Some(wait.unwrap_or_default().max(A_MOMENT))
        }
        _ => is_limit.then_some(A_MOMENT),
    };
    let message = fault.said.clone().unwrap_or_else(|| told(fault.word).to_owned());
    // What one account rests for is not what all do: a limit of the last would tell half of it.
    let is_of_some = is_limit && (rest.is_some() || !of_counts);
    let status =
        if is_of_some { StatusCode::SERVICE_UNAVAILABLE } else { status(fault, call.family) };
    Failure::Upstream { status, message, retry_after }
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
