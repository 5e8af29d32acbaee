//! How long an attempt may take.

use std::time::Duration;

use relay_core::account::Account;

use crate::config::CallSettings;

/// How long an attempt may take to its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as was set.
    Usual,
    /// Not long: it tries out an account, and another could answer.
    Short,
}

/// To the first byte of a stream that tries out an account while another could answer, and between
/// bytes up to its first content.
const TRIAL_SILENCE: Duration = Duration::from_secs(15);

/// The deadlines of one attempt: the account's own, else the relay's.
pub(super) struct Deadlines {
    /// To the head of the answer.
    pub(super) head: Duration,
    /// To the end of an answer that is no stream.
    pub(super) unary: Duration,
    /// Between two bytes of a stream.
    pub(super) idle: Duration,
}

impl Deadlines {
    /// Those of an attempt on this account.
    pub(super) fn of(
        account: &Account,
        settings: &CallSettings,
        streamed: bool,
        patience: Patience,
    ) -> Self {
        let own = account.deadlines;
        let unary = own.unary.unwrap_or(settings.unary_deadline);
        let first = own.first_byte.unwrap_or(settings.first_byte_deadline);
        let idle = own.idle.unwrap_or(settings.idle_deadline);
        let (first, idle) = match patience {
            Patience::Usual => (first, idle),
            Patience::Short => (first.min(TRIAL_SILENCE), idle.min(TRIAL_SILENCE)),
        };
        Self { head: if streamed { first } else { unary }, unary, idle }
    }
}

/// How long a stream of this account may pause.
pub(super) fn idle_deadline(account: &Account, settings: &CallSettings) -> Duration {
    Deadlines::of(account, settings, true, Patience::Usual).idle
}
