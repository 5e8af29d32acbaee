//! Changing accounts: the fields that an operator names, of one account or of several at once.

use relay_core::account::OauthSettings;
use relay_core::clock::Timestamp;
use relay_core::credential::{Credential, Identity};
use relay_core::id::AccountId;
use relay_core::quota::StopAt;
use relay_core::secret::Secret;
use relay_store::Store;
use relay_store::accounts::{AccountChange, StoredAccount};

use super::login::{note_identity, version};
use super::select::select;
use super::{Selection, change_found, check, credential};
use crate::verbs::VerbError;

/// What to change of accounts; what is not named stays as it is.
#[derive(Debug, Clone, Default)]
pub struct AccountEdit {
    /// The fields that take the place of those there are. Sign-in settings, marks and credential
    /// are named below instead.
    pub fields: AccountChange,
    /// What the account signs in by, as an operator gives it: an API key, or tokens.
    pub secret: Option<Secret>,
    /// Sign-in settings, each for itself; an empty text gives way to the provider's own.
    pub oauth: OauthSettings,
    /// Marks, each for itself; 0 lifts one.
    pub stop_at: StopAt,
}

/// Changes accounts: all of them, or none if one cannot be found or the edit cannot be. A name and
/// a secret are for one account.
pub async fn set(
    store: &Store,
    selection: &Selection,
    mut edit: AccountEdit,
    now: Timestamp,
) -> Result<Vec<AccountId>, VerbError> {
    check::change(&mut edit.fields)?;
    check::oauth(&edit.oauth)?;
    check::stop_at(edit.stop_at)?;
    let found = select(store, selection).await?;
    let is_for_one = edit.fields.name.is_some() || edit.secret.is_some();
    if is_for_one && found.len() != 1 {
        let why = "a name and a secret are for one account: name that one";
        return Err(VerbError::Invalid(why.into()));
    }
    let changes = found.iter().map(|stored| edit.of(stored, now)).collect::<Result<Vec<_>, _>>()?;
    let mut done = Vec::with_capacity(found.len());
    for (stored, (change, told)) in found.iter().zip(&changes) {
        let id = change_found(store, stored.account.id, change, now).await?;
        if let (Some(Credential::Tokens(tokens)), Some(told)) = (&change.credential, told)
            && let Some(version) = version(store, id, tokens).await?
        {
            note_identity(store, (id, version), told, now).await?;
        }
        done.push(id);
    }
    Ok(done)
}

impl AccountEdit {
    /// The change of one account, and whose its new credential is, as far as that tells.
    fn of(
        &self,
        stored: &StoredAccount,
        now: Timestamp,
    ) -> Result<(AccountChange, Option<Identity>), VerbError> {
        let account = &stored.account;
        let speaks = self.fields.speaks;
        let project = self.fields.project.as_deref().unwrap_or_default();
        check::for_kind(account.kind, (speaks.unwrap_or_default(), project))?;
        let (credential, told) = match &self.secret {
            Some(secret) => {
                let (mut credential, told) = credential(account.kind, secret, now)?;
                keep_client_secret(&mut credential, &stored.credential);
                (Some(check::credential(&credential)?), told)
            }
            None => (None, None),
        };
        let names_oauth = self.oauth != OauthSettings::default();
        let names_marks = self.stop_at != StopAt::default();
        let change = AccountChange {
            credential: credential.or_else(|| self.fields.credential.clone()),
            oauth: names_oauth.then(|| merged_oauth(&account.oauth, &self.oauth)),
            stop_at: names_marks.then(|| merged_marks(account.stop_at, self.stop_at)),
            ..self.fields.clone()
        };
        Ok((change, told))
    }
}

/// Lets other tokens of an account have the secret of its own application, if they bring none.
fn keep_client_secret(new: &mut Credential, old: &Credential) {
    if let (Credential::Tokens(new), Credential::Tokens(old)) = (new, old)
        && new.client_secret.is_none()
    {
        new.client_secret.clone_from(&old.client_secret);
    }
}

/// Sign-in settings with those that are named in place of those that were.
pub(super) fn merged_oauth(old: &OauthSettings, named: &OauthSettings) -> OauthSettings {
    let either = |old: &Option<String>, named: &Option<String>| {
        let text = named.as_ref().or(old.as_ref()).map(|text| text.trim().to_owned());
        text.filter(|text| !text.is_empty())
    };
    OauthSettings {
        authorize_url: either(&old.authorize_url, &named.authorize_url),
        token_url: either(&old.token_url, &named.token_url),
        client_id: either(&old.client_id, &named.client_id),
        redirect_url: either(&old.redirect_url, &named.redirect_url),
        scope: either(&old.scope, &named.scope),
    }
}

/// Marks with those that are named in place of those that were.
pub(super) fn merged_marks(old: StopAt, named: StopAt) -> StopAt {
    let either = |old: Option<u8>, named: Option<u8>| named.or(old).filter(|percent| *percent != 0);
    StopAt {
        five_hour: either(old.five_hour, named.five_hour),
        seven_day: either(old.seven_day, named.seven_day),
    }
}
