//! The first half of a sign-in: the address where a person agrees, and the code they bring back.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use relay_core::protocol::Service;
use relay_core::secret::Secret;
use sha2::{Digest, Sha256};

use super::Endpoints;
use super::request::told;

/// The longest paste that is looked at, in bytes.
const PASTED_BYTES_MAX: usize = 8 * 1024;

/// All but what RFC 3986 calls unreserved.
pub(super) const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The secrets of one sign-in (RFC 7636): who starts it must be who ends it.
#[derive(Clone, PartialEq, Eq)]
pub struct Pkce {
    verifier: Secret,
    state: String,
}

impl Pkce {
    /// From randomness that is used for this sign-in alone.
    pub fn new(verifier: [u8; 32], state: [u8; 32]) -> Self {
        let verifier = Secret::new(URL_SAFE_NO_PAD.encode(verifier));
        Self { verifier, state: URL_SAFE_NO_PAD.encode(state) }
    }

    /// What proves, when the code is exchanged, who asked for it.
    pub fn verifier(&self) -> &Secret {
        &self.verifier
    }

    /// What comes back with the code.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// The hash of the verifier, by the method S256.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.expose()))
    }
}

impl fmt::Debug for Pkce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pkce(…)")
    }
}

/// A text that is not the code of this sign-in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PastedCodeError {
    /// Nothing, or an address without a code.
    #[error("there is no code in it: copy all that the page shows after you agreed")]
    NoCode,
    /// Something else than a code.
    #[error("that is not a code: copy all that the page shows after you agreed")]
    NotACode,
    /// The code belongs to another sign-in.
    #[error(
        "the code is of another sign-in (its state differs): open the address of this one and \
         copy the code that it shows"
    )]
    OtherSignIn,
    /// The page sent a refusal instead of a code.
    #[error("the page sent a refusal instead of a code: {0}")]
    Refused(String),
}

/// The address at which a person agrees and is given a code.
///
/// A query that the configured address has stays, but for the parameters that are set here.
pub fn authorize_url(endpoints: &Endpoints, pkce: &Pkce) -> String {
    let challenge = pkce.challenge();
    let mut ours = peculiar(endpoints.provider).to_vec();
    ours.extend([
        ("client_id", endpoints.client_id.as_str()),
        ("response_type", "code"),
        ("redirect_uri", &endpoints.redirect_url),
        ("scope", &endpoints.scope),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("state", &pkce.state),
    ]);
    let address = endpoints.authorize_url.trim();
    let (address, fragment) = match address.split_once('#') {
        Some((address, fragment)) => (address, Some(fragment)),
        None => (address, None),
    };
    let (page, query) = address.split_once('?').unwrap_or((address, ""));
    let kept = query.split('&').filter(|pair| {
        let name = decoded(pair.split('=').next().unwrap_or(pair));
        !pair.is_empty() && ours.iter().all(|(ours, _)| *ours != name)
    });
    let mut url = page.to_owned();
    let set = ours.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
    for (index, pair) in kept.map(str::to_owned).chain(set).enumerate() {
        url.push(if index == 0 { '?' } else { '&' });
        url.push_str(&pair);
    }
    if let Some(fragment) = fragment {
        url.push('#');
        url.push_str(fragment);
    }
    url
}

/// What the page of one provider alone is told.
const fn peculiar(provider: Service) -> &'static [(&'static str, &'static str)] {
    match provider {
        // It then shows the code instead of sending it on.
        Service::Claude => &[("code", "true")],
        // The account's id then stands in the tokens, and the page asks no more than it has to.
        Service::Openai => {
            &[("id_token_add_organizations", "true"), ("codex_cli_simplified_flow", "true")]
        }
        // There is no refresh token otherwise.
        Service::Gemini => &[("access_type", "offline"), ("prompt", "consent")],
    }
}

/// The code in what a person pasted: `code#state`, `code&state=…`, `code=…&state=…`, or the whole
/// address that the page sent them to, with white space (a terminal's line breaks, too) and quotes
/// around. A state that is given has to be this sign-in's.
pub fn pasted_code(text: &str, pkce: &Pkce) -> Result<Secret, PastedCodeError> {
    if text.len() > PASTED_BYTES_MAX {
        return Err(PastedCodeError::NotACode);
    }
    let pasted: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
    let pasted = pasted.trim_matches(QUOTES);
    let parts = if pasted.contains("://") || pasted.starts_with('?') || is_query(pasted) {
        of_address(pasted)
    } else {
        of_words(pasted)
    };
    if let Some(refusal) = parts.refusal {
        return Err(PastedCodeError::Refused(told(&refusal, &[])));
    }
    let code = parts.code.filter(|code| !code.is_empty()).ok_or(PastedCodeError::NoCode)?;
    if !code.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(PastedCodeError::NotACode);
    }
    match parts.state {
        Some(state) if !state.is_empty() && state != pkce.state => {
            Err(PastedCodeError::OtherSignIn)
        }
        _ => Ok(Secret::new(code)),
    }
}

const QUOTES: [char; 12] = ['"', '\'', '`', '<', '>', '“', '”', '„', '‘', '’', '«', '»'];

#[derive(Default)]
struct Parts {
    code: Option<String>,
    state: Option<String>,
    refusal: Option<String>,
}

fn is_query(text: &str) -> bool {
    ["code=", "state=", "error="].iter().any(|start| text.starts_with(start))
}

/// `https://host/path?code=…&state=…`, or the part from the question mark on.
fn of_address(text: &str) -> Parts {
    let text = if is_query(text) { text } else { text.split_once('?').map_or("", |(_, q)| q) };
    let mut parts = Parts::default();
    let mut reason = None;
    for pair in text.split(['&', '#']) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "code" => parts.code = Some(decoded(value)),
            "state" => parts.state = Some(decoded(value)),
            "error" => parts.refusal = Some(decoded(value)),
            "error_description" => reason = Some(decoded(&value.replace('+', " "))),
            _ => {}
        }
    }
    // A page's `code#state` may stand, encoded, in the one parameter.
    if let Some((code, state)) = parts.code.as_deref().and_then(|code| code.split_once('#')) {
        let (code, state) = (code.to_owned(), state.to_owned());
        parts.state.get_or_insert(state);
        parts.code = Some(code);
    }
    if let (Some(refusal), Some(reason)) = (&mut parts.refusal, reason) {
        *refusal = format!("{refusal}: {reason}");
    }
    parts
}

/// `code`, `code#state` or `code&state=…`.
fn of_words(text: &str) -> Parts {
    let (code, rest) = text.split_once(['#', '&']).unwrap_or((text, ""));
    let state = rest
        .split(['#', '&'])
        .find_map(|part| match part.split_once('=') {
            Some(("state", state)) => Some(state),
            Some(_) => None,
            None => Some(part),
        })
        .map(decoded);
    Parts { code: Some(code.to_owned()), state, refusal: None }
}

fn encoded(text: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(text, RESERVED)
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests;
