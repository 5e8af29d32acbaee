//! What is counted of each account: of a bounded number by name, of the others together.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::RwLock;
use relay_core::id::AccountId;
use relay_core::usage::Attempt;

use super::exposition::{Failed, Page};
use super::words::{self, CAUSES, Cells, FAULTS, SIGN_OUTS};

/// Accounts that have series of their own; what is counted of more has an empty name.
pub const ACCOUNTS_MAX: usize = 200;

/// The name of the others together: no account has it, whatever people call theirs.
const NAMELESS: &str = "";

/// What attempts came to.
const ATTEMPTS: [&str; 4] = ["ok", "refused", "fault", "left"];
/// What refreshes came to, in the order of [`super::Refresh`].
const REFRESHES: [&str; 2] = ["ok", "delayed"];

/// What is counted of accounts.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    named: RwLock<HashMap<AccountId, Arc<Counts>>>,
    others: Counts,
}

/// What is counted of an account.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) attempts: Cells<{ ATTEMPTS.len() }>,
    pub(super) faults: Cells<{ FAULTS.len() }>,
    pub(super) rests: Cells<{ CAUSES.len() }>,
    pub(super) recoveries: Cells<1>,
    pub(super) sign_outs: Cells<{ SIGN_OUTS.len() }>,
    pub(super) refreshes: Cells<{ REFRESHES.len() }>,
}

/// The names of accounts as they are now, by id.
pub(super) type Names<'a> = BTreeMap<AccountId, &'a str>;

impl Accounts {
    /// Counts something of an account.
    pub(super) fn with(&self, account: AccountId, count: impl FnOnce(&Counts)) {
        let named = self.named.read();
        if let Some(counts) = named.get(&account) {
            return count(counts);
        }
        let has_room = named.len() < ACCOUNTS_MAX;
        drop(named);
        let counts = if has_room { self.name(account) } else { None };
        count(counts.as_deref().unwrap_or(&self.others));
    }

    /// Counts attempts of a call.
    pub(super) fn attempts(&self, attempts: &[Attempt]) {
        for attempt in attempts {
            self.with(attempt.account, |counts| {
                if let Some(word) = &attempt.fault {
                    counts.faults.add(words::fault(word), 1);
                }
                counts.attempts.add(came_to(attempt), 1);
            });
        }
    }

    /// Series of its own for an account, if there is room for more of them.
    fn name(&self, account: AccountId) -> Option<Arc<Counts>> {
        let mut named = self.named.write();
        if let Some(counts) = named.get(&account) {
            return Some(Arc::clone(counts));
        }
        (named.len() < ACCOUNTS_MAX).then(|| Arc::clone(named.entry(account).or_default()))
    }

    /// The accounts that have series of their own, by name. What was counted of accounts that are
    /// gone goes with them, and gives room to new ones: added to that of the others, it would look
    /// as if all of it had come about at once.
    pub(super) fn seen<'a>(&self, names: &Names<'a>) -> Vec<(AccountId, &'a str, Arc<Counts>)> {
        self.named.write().retain(|account, _| names.contains_key(account));
        let all = names.iter();
        all.filter_map(|(account, name)| Some((*account, *name, self.name(*account)?))).collect()
    }

    /// Writes what is counted of the accounts `seen`, and of all others.
    pub(super) fn write(
        &self,
        page: &mut Page<'_>,
        seen: &[(AccountId, &str, Arc<Counts>)],
    ) -> Failed {
        let named = seen.iter().map(|(_, name, counts)| (*name, &**counts));
        let all: Vec<(&str, &Counts)> = named.chain([(NAMELESS, &self.others)]).collect();
        let help = "Attempts of calls on an account, by what they came to";
        page.counters("attempts", help, labelled(&all, "outcome", &ATTEMPTS, |it| &it.attempts))?;
        let help = "Attempts that failed on an account, by what was the matter";
        // Of many words, so that only those that were counted are told.
        let faults = labelled(&all, "fault", &FAULTS, |it| &it.faults);
        page.counters("faults", help, faults.filter(|(_, count)| *count > 0))?;
        let causes = CAUSES.map(relay_core::health::RestCause::as_str);
        let help = "Rests that an account began, by their cause";
        page.counters("rests", help, labelled(&all, "cause", &causes, |it| &it.rests))?;
        let recoveries =
            all.iter().map(|(name, counts)| ([("account", *name)], counts.recoveries.get(0)));
        page.counters(
            "recoveries",
            "How often an account answered again after a rest",
            recoveries,
        )?;
        let causes = SIGN_OUTS.map(relay_core::credential::SignOutCause::as_str);
        let help = "How often an account had to be signed in again, by the cause";
        page.counters("sign_outs", help, labelled(&all, "cause", &causes, |it| &it.sign_outs))?;
        let help = "Refreshes of an account's token, by what they came to";
        page.counters(
            "token_refreshes",
            help,
            labelled(&all, "outcome", &REFRESHES, |it| &it.refreshes),
        )
    }
}

/// What an attempt came to: its place in [`ATTEMPTS`].
fn came_to(attempt: &Attempt) -> usize {
    match (&attempt.fault, attempt.status) {
        (Some(_), _) => 2,
        (None, Some(400..)) => 1,
        (None, Some(_)) => 0,
        (None, None) => 3,
    }
}

/// The counters of accounts with the words that they count. Those at 0 are among them: of a series
/// that begins with its first count, nobody could tell that it rose.
fn labelled<'a, const N: usize>(
    all: &'a [(&'a str, &'a Counts)],
    label: &'static str,
    words: &'a [&'static str; N],
    cells: impl Fn(&Counts) -> &Cells<N> + Copy + 'a,
) -> impl Iterator<Item = ([(&'static str, &'a str); 2], u64)> + 'a {
    all.iter().flat_map(move |(name, counts)| {
        let counted = words.iter().enumerate();
        counted.map(move |(at, word)| ([("account", *name), (label, *word)], cells(counts).get(at)))
    })
}
