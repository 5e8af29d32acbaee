//! How long an attempt may take.

use std::time::Duration;

use relay_core::account::Account;

use relay_upstream::fault::Fault;

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
    pub(super) head: Silence,
    /// To the end of an answer that is no stream.
    pub(super) unary: Duration,
    /// Between two bytes of a stream.
    pub(super) idle: Silence,
}

/// How long an account may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Silence {
    /// So long.
    pub(super) max: Duration,
    is_cut_short: bool,
}

impl Silence {
    fn of(usual: Duration, patience: Patience) -> Self {
        match patience {
            Patience::Usual => Self { max: usual, is_cut_short: false },
            Patience::Short => {
                Self { max: usual.min(TRIAL_SILENCE), is_cut_short: usual > TRIAL_SILENCE }
            }
        }
    }

    /// It was silent for longer. What the relay did not wait for as long as usual does not make a
    /// rest wider than that of the models which it tried out.
    pub(super) fn passed(self, word: &'static str) -> Fault {
        let fault = Fault::timeout(word);
        if self.is_cut_short { fault.of_the_models_asked_for() } else { fault }
    }
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
        let head = if streamed {
            Silence::of(first, patience)
        } else {
            Silence::of(unary, Patience::Usual)
        };
        Self { head, unary, idle: Silence::of(idle, patience) }
    }
}

/// How long a stream of this account may pause.
pub(super) fn idle_deadline(account: &Account, settings: &CallSettings) -> Duration {
    Deadlines::of(account, settings, true, Patience::Usual).idle.max
}

#[cfg(test)]
mod tests {
    use relay_core::health::Scope;
    use relay_upstream::fault::Trouble;

    use super::*;

    #[test]
    fn a_trial_that_is_cut_short_says_nothing_of_the_whole_account() {
        let scope = |usual, patience| {
            let silence = Silence::of(usual, patience);
            let fault = silence.passed("first_byte_timeout");
            assert_eq!(fault.trouble(), Some(Trouble::Timeout));
            (silence.max, fault.evidence.scope)
        };
        let (long, short) = (TRIAL_SILENCE * 2, TRIAL_SILENCE / 2);
        assert_eq!(scope(long, Patience::Short), (TRIAL_SILENCE, Scope::Asked));
        assert_eq!(scope(long, Patience::Usual), (long, Scope::Account));
        assert_eq!(scope(short, Patience::Short), (short, Scope::Account));
    }
}
