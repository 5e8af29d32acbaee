//! The sealed parts of an account's row, each for its own place. What is empty holds nothing.

use relay_core::account::{Account, ExtraHeader};
use relay_core::credential::{Credential, Tokens};
use relay_core::id::AccountId;
use relay_core::proxy::Proxy;

use crate::columns::json;
use crate::error::StoreError;
use crate::tokens::{Written, secret_json};
use crate::vault::Vault;
use crate::vault_keys::open_text;

/// Seals what an account signs in by.
pub(super) fn seal_credential(vault: &Vault, id: AccountId, credential: &Credential) -> Vec<u8> {
    match credential {
        Credential::Missing => Vec::new(),
        Credential::ApiKey(key) => vault.seal(&secret_place(id), key.expose().as_bytes()),
        Credential::Tokens(tokens) => seal_tokens(vault, id, tokens),
    }
}

/// Seals the tokens of a sign-in.
pub(super) fn seal_tokens(vault: &Vault, id: AccountId, tokens: &Tokens) -> Vec<u8> {
    let text = secret_json(&Written::from(tokens), Some(tokens));
    vault.seal(&secret_place(id), &text)
}

/// Opens what an account signs in by; its kind says of which sort that is.
pub(super) fn open_credential(
    vault: &Vault,
    account: &Account,
    sealed: &[u8],
) -> Result<Credential, StoreError> {
    let place = secret_place(account.id);
    if sealed.is_empty() {
        return Ok(Credential::Missing);
    }
    if !account.kind.is_oauth() {
        return open_text(vault, &place, sealed).map(Credential::ApiKey);
    }
    let opened = vault.open(&place, sealed)?;
    let written: Written<String> =
        serde_json::from_slice(&opened).map_err(|_| StoreError::Stored("sign-in of an account"))?;
    Ok(Credential::Tokens(written.into()))
}

/// Seals the operator's headers: as often as not one of them is a credential.
pub(super) fn seal_headers(vault: &Vault, id: AccountId, headers: &[ExtraHeader]) -> Vec<u8> {
    vault.seal(&headers_place(id), json(headers).as_bytes())
}

/// Opens the operator's headers.
pub(super) fn open_headers(
    vault: &Vault,
    id: AccountId,
    sealed: &[u8],
) -> Result<Vec<ExtraHeader>, StoreError> {
    let opened = vault.open(&headers_place(id), sealed)?;
    serde_json::from_slice(&opened).map_err(|_| StoreError::Stored("header of an account"))
}

/// Seals a proxy with its password.
pub(super) fn seal_proxy(vault: &Vault, id: AccountId, proxy: Option<&Proxy>) -> Vec<u8> {
    proxy.map_or_else(Vec::new, |proxy| {
        vault.seal(&proxy_place(id), proxy.to_url().expose().as_bytes())
    })
}

/// Opens a proxy. One that cannot be read is an error, never the direct way.
pub(super) fn open_proxy(
    vault: &Vault,
    id: AccountId,
    sealed: &[u8],
) -> Result<Option<Proxy>, StoreError> {
    if sealed.is_empty() {
        return Ok(None);
    }
    let url = open_text(vault, &proxy_place(id), sealed)?;
    url.expose().parse().map(Some).map_err(|_| StoreError::Stored("proxy of an account"))
}

fn secret_place(id: AccountId) -> String {
    format!("accounts.secret:{id}")
}

fn headers_place(id: AccountId) -> String {
    format!("accounts.headers:{id}")
}

fn proxy_place(id: AccountId) -> String {
    format!("accounts.proxy:{id}")
}
