//! What can be seen of the relay at the moment: accounts, calls, queues, memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use relay_core::clock::Timestamp;
use relay_core::id::AccountId;
use relay_core::model::ModelFamily;

use super::accounts::Counts;
use super::exposition::{Failed, Page};
use super::units::{dollars, seconds};
use super::words::{self, FAMILIES, LENGTHS, OTHER};
use crate::app::App;
use crate::live::AccountLive;
use crate::outbox::EVENTS_WAITING_MAX;
use crate::roster::Member;

/// What an account can be, the first that fits counting.
const STATES: [&str; 4] = ["off", "closed", "resting", "able"];
const OFF: usize = 0;
const CLOSED: usize = 1;
const RESTING: usize = 2;
const ABLE: usize = 3;

/// An account as it is now.
struct Shown<'a> {
    name: Option<&'a str>,
    service: &'static str,
    state: usize,
    live: AccountLive,
}

/// Writes it all.
pub(super) fn write(
    app: &App,
    members: &[Arc<Member>],
    seen: &[(AccountId, &str, Arc<Counts>)],
    page: &mut Page<'_>,
) -> Failed {
    let now = app.now();
    let day = app.calendar.day(now);
    let names: BTreeMap<AccountId, &str> = seen.iter().map(|(id, name, _)| (*id, *name)).collect();
    let shown = |member: &Arc<Member>| {
        let live = AccountLive::of(member, now, day);
        Shown {
            name: names.get(&member.account.id).copied(),
            service: member.account.kind.service().as_str(),
            state: state(member, &live),
            live,
        }
    };
    let shown: Vec<Shown<'_>> = members.iter().map(shown).collect();
    write_states(&shown, page)?;
    write_accounts(&shown, page)?;
    write_windows(&shown, page)?;
    write_calls(app, page)?;
    write_books(app, page)
}

fn state(member: &Member, live: &AccountLive) -> usize {
    if !member.account.enabled {
        OFF
    } else if live.closed {
        CLOSED
    } else if live.resting.is_some() {
        RESTING
    } else {
        ABLE
    }
}

fn write_states(shown: &[Shown<'_>], page: &mut Page<'_>) -> Failed {
    // Every state of a service that has accounts, so that none is missing when it is 0.
    let mut counts: BTreeMap<&str, [usize; STATES.len()]> = BTreeMap::new();
    for account in shown {
        counts.entry(account.service).or_default()[account.state] += 1;
    }
    let counts = counts.iter().flat_map(|(service, counts)| {
        STATES
            .iter()
            .zip(counts)
            .map(|(state, count)| ([("service", *service), ("state", *state)], *count))
    });
    page.gauges("accounts", "Accounts by state: able, resting, closed, off", counts)
}

fn write_accounts(shown: &[Shown<'_>], page: &mut Page<'_>) -> Failed {
    let named = || shown.iter().filter_map(|it| Some((it.name?, it)));
    let up = named().map(|(name, it)| {
        ([("account", name), ("service", it.service)], u32::from(it.state == ABLE))
    });
    page.gauges("account_up", "Whether calls go to the account", up)?;
    let enabled = named().map(|(name, it)| ([("account", name)], u32::from(it.state != OFF)));
    page.gauges("account_enabled", "Whether the operator lets the account serve", enabled)?;
    let out =
        named().map(|(name, it)| ([("account", name)], u32::from(it.live.signed_out.is_some())));
    let help = "Whether the account has to be signed in again; its token may serve a while yet";
    page.gauges("account_signed_out", help, out)?;
    let rests = named().filter_map(|(name, it)| {
        Some(([("account", name)], seconds(it.live.resting.as_ref()?.until)))
    });
    let help = "When the rest of the account ends, in Unix time; only of those that rest";
    page.gauges("account_rest_ends_timestamp_seconds", help, rests)?;
    let in_flight = named().map(|(name, it)| ([("account", name)], it.live.in_flight));
    page.gauges("account_in_flight", "Calls under way on the account", in_flight)?;
    let spent = named().map(|(name, it)| ([("account", name)], dollars(it.live.spent_today_nanos)));
    page.gauges("account_cost_today_dollars", "What the account's calls of today cost", spent)?;
    let ends = named()
        .filter_map(|(name, it)| Some(([("account", name)], seconds(it.live.token_expires_at?))));
    let help = "When the account's access token ends, in Unix time, if it has one";
    page.gauges("account_token_ends_timestamp_seconds", help, ends)
}

fn write_windows(shown: &[Shown<'_>], page: &mut Page<'_>) -> Failed {
    type Use = (f64, Option<Timestamp>);
    let mut windows: BTreeMap<(&str, Cow<'_, str>), Use> = BTreeMap::new();
    let named = shown.iter().filter_map(|it| Some((it.name?, it)));
    for (name, window) in
        named.flat_map(|(name, it)| it.live.windows.iter().map(move |w| (name, w)))
    {
        let used = f64::from(window.used_permille) / 1_000.0;
        let known = windows.entry((name, window_label(&window.window))).or_insert((used, None));
        // Windows of families without a word of their own are one series: of the one used most.
        if used >= known.0 {
            *known = (used, window.resets_at);
        }
    }
    let used = windows.iter().map(|((account, window), (used, _))| {
        ([("account", *account), ("window", &**window)], *used)
    });
    let help = "How much of a quota window is used; 1 is all";
    page.gauges("quota_used_ratio", help, used)?;
    let resets = windows.iter().filter_map(|((account, window), (_, resets_at))| {
        Some(([("account", *account), ("window", &**window)], seconds((*resets_at)?)))
    });
    let help = "When a quota window begins anew, in Unix time";
    page.gauges("quota_resets_timestamp_seconds", help, resets)
}

/// The label of a window: its length, if it is one of those that are known, and of a family the
/// word that the family has.
pub(super) fn window_label(window: &str) -> Cow<'static, str> {
    let (length, family) = match window.split_once(' ') {
        Some((length, family)) => (length, Some(family)),
        None => (window, None),
    };
    let length = LENGTHS.iter().find(|known| **known == length).unwrap_or(&OTHER);
    match family {
        None => (*length).into(),
        Some(family) => {
            let (_, family) = FAMILIES[words::family(&ModelFamily::named(family))];
            format!("{length} {family}").into()
        }
    }
}

fn write_calls(app: &App, page: &mut Page<'_>) -> Failed {
    let open = app.shutdown.open_calls();
    page.gauges(
        "calls_in_flight",
        "Requests under way, from their head to their end",
        [([], open)],
    )?;
    let phases = app.open_calls.by_phase();
    let phases = phases.iter().map(|(phase, count)| ([("phase", phase.as_str())], *count));
    page.gauges("calls_by_phase", "Calls by how far they have come", phases)?;
    let help = "Unary calls that are read to their end though their client left";
    page.gauges("calls_without_client", help, [([], app.orphanage.used())])?;
    page.gauges("pins", "Conversations whose account is remembered", [([], app.pins.len())])?;
    page.gauges("body_memory_bytes", "Memory of request bodies", [([], app.bodies.used())])?;
    let help = "Memory that request bodies may take together";
    page.gauges("body_memory_limit_bytes", help, [([], app.bodies.limit())])?;
    let draining = u32::from(app.shutdown.stage() > crate::shutdown::Stage::Serving);
    page.gauges("stopping", "Whether the relay takes no new calls as it stops", [([], draining)])
}

fn write_books(app: &App, page: &mut Page<'_>) -> Failed {
    let (consumed, lacking) = app.bookkeeping.progress();
    let lag = app.journal.lag(consumed);
    page.gauges("journal_lag_bytes", "Bytes of the journal that the database lacks", [([], lag)])?;
    let help = "For how long the database has lacked something of the journal";
    page.gauges("journal_lag_seconds", help, [([], lacking.as_secs_f64())])?;
    let full = u32::from(app.journal.is_full());
    page.gauges("journal_full", "Whether calls are refused as the disk is full", [([], full)])?;
    let behind = u32::from(app.bookkeeping.is_behind());
    page.gauges("database_behind", "Whether the database takes no records", [([], behind)])?;
    let (unwritten, lost) = app.bookkeeping.without_journal();
    let help = "Usage records that wait in memory for room in the journal";
    page.gauges("records_unwritten", help, [([], unwritten)])?;
    page.counters("records_lost", "Usage records that could not be kept", [([], lost)])?;
    let waiting = app.outbox.waiting();
    page.gauges("events_waiting", "Events on their way to the database", [([], waiting)])?;
    let help = "Events that may wait; more are dropped";
    page.gauges("events_waiting_limit", help, [([], EVENTS_WAITING_MAX)])
}
