//! Chooses the account of one attempt and takes a slot of it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use relay_core::health::Standing;
use relay_core::id::AccountId;
use relay_core::schedule::{
    AccountView, Choice, Demand, Hold, NoCapacity, Plan, beside_trial, choose, open,
};
use relay_store::slots::Slot;
use relay_upstream::profile;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use super::Call;
use super::ledger::KeepPin;
use crate::app::App;
use crate::roster::{Member, Probe};

/// How long a conversation waits for a slot of its own account before another serves it.
pub(super) const PINNED_SLOT_WAIT: Duration = Duration::from_secs(2);
/// How long a call waits while every account is busy.
pub(super) const ANY_SLOT_WAIT: Duration = Duration::from_secs(10);
/// How long a trial keeps an account to itself: its answer may take minutes, and calls that waited
/// this long for what comes of it are served beside it.
const TRIAL_ALONE_MAX: Duration = Duration::from_secs(5);
/// How long it waits at a time for one of those that are open.
const SLOT_LOOK: Duration = Duration::from_millis(100);

/// An account with a slot for the call.
pub(super) struct Picked {
    /// The account.
    pub(super) member: Arc<Member>,
    /// The slot.
    pub(super) slot: Slot,
    /// The right to try it out, if it rests.
    pub(super) probe: Option<Probe>,
    /// Whether the conversation's pin stays elsewhere.
    pub(super) keep_pin: KeepPin,
}

/// Picks an account that this call has not tried.
pub(super) async fn pick(
    app: &App,
    call: &Call,
    tried: &[AccountId],
) -> Result<Picked, NoCapacity> {
    let begun = Instant::now();
    let mut pinned = call.session.and_then(|session| app.pins.get(session, app.now()));
    let mut keep_pin = if lacks_model(app, call, pinned) { KeepPin::Yes } else { KeepPin::No };
    loop {
        let members = app.roster.snapshot();
        let found = |id: AccountId| members.iter().find(|member| member.account.id == id);
        let choice = { choose(&views(app, &members, call), &demand(call, pinned, tried)) };
        match choice {
            Ok(Choice::Serve(id)) => {
                let taken = found(id).and_then(|member| take_now(member, keep_pin, None));
                if let Some(picked) = taken {
                    return Ok(picked);
                }
                // Another call was faster; what it took is seen with the next look.
                yield_now().await;
            }
            Ok(Choice::AwaitPinned(id)) => {
                let own = found(id).cloned().into_iter().collect();
                let wait = match call.hold {
                    Hold::Soft => PINNED_SLOT_WAIT,
                    Hold::Hard => ANY_SLOT_WAIT,
                };
                if let Some((member, slot, probe)) = take_one_of(app, call, tried, own, wait).await
                {
                    return Ok(Picked { member, slot, probe, keep_pin: KeepPin::No });
                }
                if call.hold == Hold::Hard {
                    return Err(NoCapacity::AllBusy);
                }
                (pinned, keep_pin) = (None, KeepPin::Yes);
            }
            Ok(Choice::Probe(id)) => {
                let taken = found(id).and_then(|member| {
                    let probe = member.try_probe(&call.model_family, app.now())?;
                    take_now(member, keep_pin, Some(probe))
                });
                if let Some(picked) = taken {
                    return Ok(picked);
                }
                yield_now().await;
            }
            Err(NoCapacity::AllBusy) if begun.elapsed() < ANY_SLOT_WAIT => {
                if begun.elapsed() >= TRIAL_ALONE_MAX
                    && let Some(picked) = take_beside_trial(app, call, tried, keep_pin)
                {
                    return Ok(picked);
                }
                let look = Instant::now() + SLOT_LOOK;
                let all = open_members(app, call, tried);
                if let Some((member, slot, probe)) =
                    take_one_of(app, call, tried, all, SLOT_LOOK).await
                {
                    return Ok(Picked { member, slot, probe, keep_pin });
                }
                // Where too many wait already, this one is turned away at once.
                sleep_until(look).await;
            }
            Err(none) => return Err(none),
        }
    }
}

/// The accounts as a call sees them now.
pub(super) fn views<'a>(
    app: &App,
    members: &'a [Arc<Member>],
    call: &Call,
) -> Vec<AccountView<'a>> {
    // Those that cannot be asked this at all are as good as not there.
    let can = |member: &&Arc<Member>| profile::asked(&member.account, call.endpoint).is_some();
    members.iter().filter(can).map(|member| view_of(app, member, call)).collect()
}

fn view_of<'a>(app: &App, member: &'a Member, call: &Call) -> AccountView<'a> {
    let now = app.now();
    member.view(&call.model, &call.model_family, now, app.calendar.day(now))
}

/// What a call needs.
pub(super) fn demand<'a>(
    call: &'a Call,
    pinned: Option<AccountId>,
    tried: &'a [AccountId],
) -> Demand<'a> {
    Demand {
        service: call.service,
        model: &call.model,
        client: call.client.as_str(),
        pool: call.holder.key.pool(call.service),
        pinned,
        hold: call.hold,
        tried,
    }
}

/// Whether the conversation's own account, or its plan, merely does not have this model: agents ask
/// another one beside, and the conversation is to stay where its cache is.
fn lacks_model(app: &App, call: &Call, pinned: Option<AccountId>) -> bool {
    let member = pinned.and_then(|id| app.roster.find(id));
    member.is_some_and(|member| {
        let sent_as = member.account.upstream_model(&call.model);
        let is_on = member.account.enabled && member.closed(app.now()).is_none();
        is_on && sent_as.is_none_or(|sent_as| member.plan(sent_as) == Plan::Lacks)
    })
}

/// The one account that can serve a conversation which names what only that has.
pub(super) fn held(app: &App, call: &Call) -> Option<AccountId> {
    let session = call.session.filter(|_| call.hold == Hold::Hard)?;
    app.pins.get(session, app.now())
}

/// The accounts that could serve the call now, if only they had a slot for it.
pub(super) fn open_members(app: &App, call: &Call, tried: &[AccountId]) -> Vec<Arc<Member>> {
    let members = app.roster.snapshot();
    let (views, want) = (views(app, &members, call), demand(call, held(app, call), tried));
    let ids: Vec<AccountId> = open(&views, &want).map(|view| view.account.id).collect();
    members.iter().filter(|member| ids.contains(&member.account.id)).cloned().collect()
}

/// Takes a slot of an account that another call tries out, without the right to, if all that could
/// serve the call are tried out.
fn take_beside_trial(
    app: &App,
    call: &Call,
    tried: &[AccountId],
    keep_pin: KeepPin,
) -> Option<Picked> {
    let members = app.roster.snapshot();
    let id = beside_trial(&views(app, &members, call), &demand(call, held(app, call), tried))?;
    let member = members.iter().find(|member| member.account.id == id)?;
    take_now(member, keep_pin, None)
}

/// Takes a slot that the views promised; between view and take another call may have been faster.
fn take_now(member: &Arc<Member>, keep_pin: KeepPin, probe: Option<Probe>) -> Option<Picked> {
    let slot = member.shared.slots.try_take(member.account.concurrency_max)?;
    Some(Picked { member: Arc::clone(member), slot, probe, keep_pin })
}

/// Waits for a slot of one of these accounts. The slot that comes first is kept, as one that is
/// given back goes to the next in the queue; unless its account has closed to the call meanwhile.
async fn take_one_of(
    app: &App,
    call: &Call,
    tried: &[AccountId],
    members: Vec<Arc<Member>>,
    patience: Duration,
) -> Option<(Arc<Member>, Slot, Option<Probe>)> {
    let take = async |member: Arc<Member>| {
        let slot = member.shared.slots.take(member.account.concurrency_max, patience).await?;
        Some((member, slot))
    };
    let mut waiting: FuturesUnordered<_> = members.into_iter().map(take).collect();
    while let Some(taken) = waiting.next().await {
        let Some((member, slot)) = taken else { continue };
        let mut open = open_members(app, call, tried).into_iter();
        // It may have been edited meanwhile.
        let Some(member) = open.find(|open| open.account.id == member.account.id) else { continue };
        let is_trial = view_of(app, &member, call).standing == Standing::Trial;
        let probe = is_trial.then(|| member.try_probe(&call.model_family, app.now()));
        // Of those that waited for an account in doubt, one tries it out.
        match probe {
            Some(None) => {}
            probe => return Some((member, slot, probe.flatten())),
        }
    }
    None
}
