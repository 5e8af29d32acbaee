//! Chooses the account of one attempt and takes a slot of it.

use std::sync::Arc;
use std::time::Duration;

use relay_core::id::AccountId;
use relay_core::schedule::{AccountView, Choice, Demand, NoCapacity, choose};
use relay_store::slots::Slot;
use tokio::time::Instant;

use super::Call;
use super::ledger::KeepPin;
use crate::app::App;
use crate::roster::{Member, Probe};

/// How long a conversation waits for a slot of its own account before another serves it.
pub(super) const PINNED_SLOT_WAIT: Duration = Duration::from_secs(2);
/// How long a call waits while every account is busy.
pub(super) const ANY_SLOT_WAIT: Duration = Duration::from_secs(10);
/// How long it waits at a time for one of them.
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
    let patience = Instant::now() + ANY_SLOT_WAIT;
    let mut pinned = call.session.and_then(|session| app.pins.get(session, app.now()));
    let mut keep_pin = KeepPin::No;
    loop {
        let members = app.roster.snapshot();
        let found = |id: AccountId| members.iter().find(|member| member.account.id == id);
        let choice = {
            let now = app.now();
            let views: Vec<AccountView<'_>> =
                members.iter().map(|member| member.view(&call.model_family, now)).collect();
            choose(&views, &demand(call, pinned, tried), now)
        };
        match choice {
            Ok(Choice::Serve(id)) => {
                let taken = found(id).and_then(|member| take_now(member, keep_pin, None));
                if let Some(picked) = taken {
                    return Ok(picked);
                }
            }
            Ok(Choice::AwaitPinned(id)) => {
                let waited = match found(id) {
                    Some(member) => take_within(member, PINNED_SLOT_WAIT).await,
                    None => None,
                };
                if let Some(picked) = waited {
                    return Ok(picked);
                }
                (pinned, keep_pin) = (None, KeepPin::Yes);
            }
            Ok(Choice::Probe(id)) => {
                let probe = found(id).and_then(|member| Some((member, member.shared.try_probe()?)));
                let taken =
                    probe.and_then(|(member, probe)| take_now(member, keep_pin, Some(probe)));
                if let Some(picked) = taken {
                    return Ok(picked);
                }
            }
            Err(NoCapacity::AllBusy) if Instant::now() < patience => {
                wait_for_any(app, call, tried).await;
            }
            Err(none) => return Err(none),
        }
    }
}

fn demand<'a>(call: &'a Call, pinned: Option<AccountId>, tried: &'a [AccountId]) -> Demand<'a> {
    Demand {
        service: call.service,
        model: &call.model,
        pool: call.holder.key.pool(call.service),
        pinned,
        tried,
    }
}

/// Takes a slot that the views promised; between view and take another call may have been faster.
fn take_now(member: &Arc<Member>, keep_pin: KeepPin, probe: Option<Probe>) -> Option<Picked> {
    let slot = member.shared.slots.try_take(member.account.concurrency_max)?;
    Some(Picked { member: Arc::clone(member), slot, probe, keep_pin })
}

async fn take_within(member: &Arc<Member>, patience: Duration) -> Option<Picked> {
    let slot = member.shared.slots.take(member.account.concurrency_max, patience).await?;
    Some(Picked { member: Arc::clone(member), slot, probe: None, keep_pin: KeepPin::No })
}

/// Waits for a slot of the account that stands first; looks at all again after a while.
async fn wait_for_any(app: &App, call: &Call, tried: &[AccountId]) {
    let members = app.roster.snapshot();
    let able = members.iter().filter(|member| {
        !tried.contains(&member.account.id)
            && member.account.enabled
            && member.account.upstream_model(&call.model).is_some()
    });
    match able.min_by_key(|member| (member.account.priority, member.account.id)) {
        // The slot is given back at once: the loop takes it through `choose`, as every call does.
        Some(member) => drop(take_within(member, SLOT_LOOK).await),
        None => tokio::time::sleep(SLOT_LOOK).await,
    }
}
