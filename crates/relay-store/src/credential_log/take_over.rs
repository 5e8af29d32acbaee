//! Bringing the record of refreshes and the database together.

use std::collections::HashMap;

use relay_core::clock::Timestamp;
use relay_core::credential::Tokens;
use relay_core::id::AccountId;

use super::{CredentialLog, Pending, Stage};
use crate::accounts::CredentialState;
use crate::error::StoreError;
use crate::pool::Store;

impl Store {
    /// Writes the pairs that `log` has and the database lacks, and drops what is done or of a
    /// credential that was replaced or removed. Returns the accounts with a refresh of their
    /// present tokens of which nobody knows how it ended: these tokens are to be tried once more.
    /// What is noted of those refreshes stays until the trial is noted in its turn.
    ///
    /// For the start, before calls are served: between queries it reads and writes small files.
    /// It may be run again at any time, also after it failed half-way.
    pub async fn take_over(
        &self,
        log: &CredentialLog,
        now: Timestamp,
    ) -> Result<Vec<AccountId>, StoreError> {
        let pending = log.pending()?;
        let states = if pending.is_empty() { Vec::new() } else { self.credential_states().await? };
        let mut states: HashMap<AccountId, CredentialState> =
            states.into_iter().map(|state| (state.account, state)).collect();
        let mut unsettled = Vec::new();
        for Pending { account, stage } in pending {
            let Some(state) = states.get_mut(&account) else {
                log.forget(account)?;
                continue;
            };
            match stage {
                Stage::Finished { version, tokens } => {
                    if self.take_pair(account, version, &tokens, now).await? {
                        (state.version, state.signed_out) = (version + 1, false);
                    }
                    log.clear(account, version)?;
                }
                Stage::Begun { version } if version != state.version || state.signed_out => {
                    log.clear(account, version)?;
                }
                Stage::Damaged(_) if state.signed_out => log.forget(account)?,
                Stage::Begun { .. } | Stage::Damaged(_) => unsettled.push(account),
            }
        }
        Ok(unsettled)
    }

    /// Writes a pair unless the account has a newer credential, or one of another sort.
    async fn take_pair(
        &self,
        account: AccountId,
        version: i64,
        tokens: &Tokens,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        match self.adopt_refreshed(account, version, tokens, now).await {
            Err(StoreError::WrongCredential(_)) => Ok(false),
            adopted => adopted,
        }
    }
}
