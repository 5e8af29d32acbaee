//! Writing accounts down for another relay.

use relay_core::clock::Timestamp;
use relay_core::credential::Credential;
use relay_core::proxy::Proxy;
use relay_core::secret::Secret;
use relay_store::Store;
use relay_store::accounts::StoredAccount;
use relay_store::groups::Group;
use relay_upstream::oauth;

use super::Selection;
use super::bundle::{Bundle, Entry, Secrets, seal};
use super::select::select;
use crate::verbs::{VerbError, moment};

/// Accounts as they are exported, and of which of them a sign-in goes along.
#[derive(Debug)]
pub struct Exported {
    /// What is to be written.
    pub bundle: Bundle,
    /// Names of the accounts whose refresh tokens are in it: used in two places, they end the
    /// sign-in.
    pub sign_ins: Vec<String>,
}

/// Writes accounts down: with what is secret, sealed, if there is a passphrase.
pub async fn export(
    store: &Store,
    selection: &Selection,
    passphrase: Option<&Secret>,
    now: Timestamp,
) -> Result<Exported, VerbError> {
    let groups = store.groups().await?;
    let accounts = select(store, selection).await?;
    let entries = accounts.iter().map(|stored| entry(stored, &groups)).collect();
    let sealed = match passphrase {
        Some(passphrase) => {
            let secrets: Vec<_> = accounts.iter().map(secrets).collect();
            Some(seal(&secrets, passphrase).await?)
        }
        None => None,
    };
    let refreshes = |stored: &&StoredAccount| match &stored.credential {
        Credential::Tokens(tokens) => sealed.is_some() && tokens.refresh.is_some(),
        Credential::ApiKey(_) | Credential::Missing => false,
    };
    let sign_ins = accounts.iter().filter(refreshes).map(|it| it.account.name.clone()).collect();
    Ok(Exported { bundle: Bundle::new(moment::rfc3339(now), entries, sealed), sign_ins })
}

fn entry(stored: &StoredAccount, groups: &[Group]) -> Entry {
    let account = stored.account.clone();
    let millis = |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let is_in = |group: &&Group| account.groups.contains(&group.id);
    Entry {
        groups: groups.iter().filter(is_in).map(|group| group.name.clone()).collect(),
        name: account.name,
        kind: account.kind,
        note: account.note,
        base_url: account.base_url,
        key_header: account.key_header,
        speaks: account.speaks,
        project: account.project.clone(),
        enabled: account.enabled,
        priority: account.priority,
        weight: account.weight,
        max_concurrency: account.concurrency_max,
        sharing: account.sharing,
        models: account.models,
        map: account.model_map,
        headers: account.extra_headers.into_iter().map(|header| header.name).collect(),
        payload: account.payload,
        proxy: account.proxy.as_ref().map(Proxy::masked),
        clients: account.clients,
        oauth: account.oauth,
        stop_at: account.stop_at,
        daily_cost_usd: account.daily_cost_max.map(relay_core::money::Money::to_usd_string),
        ends_at: account.ends_at.map(moment::rfc3339),
        first_byte_timeout_ms: account.deadlines.first_byte.map(millis),
        unary_timeout_ms: account.deadlines.unary.map(millis),
        idle_timeout_ms: account.deadlines.idle.map(millis),
        identity: stored.identity.clone(),
    }
}

fn secrets(stored: &StoredAccount) -> Secrets {
    let account = &stored.account;
    Secrets {
        name: account.name.clone(),
        base_url: account.base_url.clone(),
        oauth: account.oauth.clone(),
        credential: match &stored.credential {
            Credential::Missing => None,
            Credential::ApiKey(key) => Some(key.clone()),
            Credential::Tokens(tokens) => Some(oauth::tokens_to_json(tokens)),
        },
        proxy: account.proxy.as_ref().map(Proxy::to_url),
        headers: account.extra_headers.clone(),
    }
}
