//! How a subscription is signed in to, kept signed in, and asked about itself.
//!
//! What is sent and what is read are pure functions; the few async ones send them through the
//! client of the account, so that they take the account's own way out. These are the relay's own
//! requests and carry its own name: it never pretends to be another client.

mod authorize;
mod claims;
mod code_assist;
mod exchange;
mod given;
mod inquiry;
#[cfg(test)]
mod loopback;
mod registration;
mod request;

use relay_core::account::{AccountKind, OauthSettings};
use relay_core::clock::Timestamp;
use relay_core::credential::{Identity, Tokens};
use relay_core::protocol::Service;
use relay_core::secret::Secret;

use crate::client::ConnectionFault;

pub use authorize::{PastedCodeError, Pkce, authorize_url, pasted_code};
pub use code_assist::code_assist;
pub use exchange::{exchange, refresh};
pub use given::{
    GivenTokensError, SETUP_TOKEN_LIFE, read_given, read_given_tokens, tokens_to_json,
};
pub use inquiry::{Holder, InquiryFault, identity, usage};
pub use registration::{Registration, completed};
pub use request::{ANSWER_BYTES_MAX, ANSWER_WITHIN, RETRY_AFTER_MAX, USER_AGENT};

/// The beta that a subscription's token needs with every request of the API.
pub const OAUTH_BETA: &str = "oauth-2025-04-20";

/// What a sign-in is to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// A short-lived access token and a refresh token, with all that the subscription may do.
    Subscription,
    /// One access token that lives for a year, may only ask models, and cannot be refreshed.
    SetupToken,
}

/// Where and as whom an account is signed in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// The page on which a person agrees; it may have a query of its own.
    pub authorize_url: String,
    /// Where codes and refresh tokens are exchanged.
    pub token_url: String,
    /// Who asks.
    pub client_id: String,
    /// Where the page sends its code.
    pub redirect_url: String,
    /// What is asked for, separated by spaces.
    pub scope: String,
    /// What the sign-in is to give.
    pub flow: Flow,
    /// Whose sign-in it is: providers differ in what they are told and how.
    pub provider: Service,
    /// What proves the application of `client_id`, where the provider wants that.
    pub client_secret: Option<Secret>,
}

/// What a token endpoint gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The tokens, complete: a refresh token that was not replaced stands here again.
    pub tokens: Tokens,
    /// Whose they are, as far as the answer says; the rest is told by [`identity`].
    pub identity: Identity,
}

/// Why a token endpoint gave nothing. Only [`TokenFault::Refused`] says anything of the sign-in.
/// No text holds a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// The provider refused in the terms of OAuth: asking again changes nothing.
    #[error("the provider refused: {said}")]
    Refused {
        /// In its own words, at most 300 characters.
        said: String,
    },
    /// There is no refresh token: nothing was sent.
    #[error("there is no refresh token")]
    NotRefreshable,
    /// The provider, or a gate in front of it, did not want to judge now. The tokens stand.
    #[error("the token endpoint answered {status}{}", after_colon(said))]
    Unavailable {
        /// The status of the answer.
        status: u16,
        /// When it wants to be asked again, if it said so.
        retry_at: Option<Timestamp>,
        /// In its own words, at most 300 characters; empty if it said nothing readable.
        said: String,
    },
    /// The request surely never reached the provider. The tokens stand.
    #[error(transparent)]
    NotSent(ConnectionFault),
    /// The request went out and the answer was lost or not understood: the provider may have
    /// replaced the refresh token with one that nobody knows.
    #[error("the answer of the token endpoint was lost: {why}")]
    Unclear {
        /// What befell it.
        why: String,
    },
}

/// Where an account of this kind is signed in to: the settings' word, else the provider's own.
///
/// The scope of a setup token is what makes it one, so the setting of a scope is for
/// [`Flow::Subscription`] alone.
pub fn endpoints(kind: AccountKind, settings: &OauthSettings, flow: Flow) -> Endpoints {
    let own = defaults(kind);
    let or = |setting: &Option<String>, own: &str| setting.as_deref().unwrap_or(own).to_owned();
    Endpoints {
        authorize_url: or(&settings.authorize_url, own.authorize_url),
        token_url: or(&settings.token_url, own.token_url),
        client_id: or(&settings.client_id, own.client_id),
        redirect_url: or(&settings.redirect_url, own.redirect_url),
        scope: match flow {
            Flow::Subscription => or(&settings.scope, own.scope),
            Flow::SetupToken => own.setup_token_scope.to_owned(),
        },
        flow,
        provider: kind.service(),
        client_secret: None,
    }
}

/// A row of the table of providers.
struct Defaults {
    authorize_url: &'static str,
    token_url: &'static str,
    client_id: &'static str,
    redirect_url: &'static str,
    scope: &'static str,
    setup_token_scope: &'static str,
}

/// One row for each kind. A kind with keys is never signed in to, and shares its provider's row.
const fn defaults(kind: AccountKind) -> Defaults {
    match kind {
        AccountKind::ClaudeOauth | AccountKind::ClaudeApi => Defaults {
            authorize_url: "https://claude.ai/oauth/authorize",
            token_url: "https://platform.claude.com/v1/oauth/token",
            client_id: "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
            redirect_url: "https://platform.claude.com/oauth/code/callback",
            scope: "org:create_api_key user:profile user:inference",
            setup_token_scope: "user:inference",
        },
        AccountKind::OpenaiOauth | AccountKind::OpenaiApi => Defaults {
            authorize_url: "https://auth.openai.com/oauth/authorize",
            token_url: "https://auth.openai.com/oauth/token",
            client_id: "app_EMoamEEZ73f0CkXaXp7hrann",
            redirect_url: "http://localhost:1455/auth/callback",
            scope: concat!("openid", " ", "profile", " ", "email", " ", "offline_access"),
            setup_token_scope: "",
        },
        AccountKind::GeminiOauth | AccountKind::GeminiApi => Defaults {
            authorize_url: "https://accounts.google.com/o/oauth2/v2/auth",
            token_url: "https://oauth2.googleapis.com/token",
            client_id: "",
            redirect_url: "https://codeassist.google.com/authcode",
            scope: concat!(
                "https://www.googleapis.com/auth/cloud-platform",
                " ",
                "https://www.googleapis.com/auth/userinfo.email",
                " ",
                "https://www.googleapis.com/auth/userinfo.profile"
            ),
            setup_token_scope: "",
        },
    }
}

fn after_colon(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_replaces_its_default_and_no_other() {
        let own =
            endpoints(AccountKind::ClaudeOauth, &OauthSettings::default(), Flow::Subscription);
        assert_eq!(own.token_url, "https://platform.claude.com/v1/oauth/token");
        assert_eq!(own.scope, "org:create_api_key user:profile user:inference");
        let settings = OauthSettings {
            token_url: Some("http://127.0.0.1:9/token".into()),
            scope: Some("user:inference user:profile".into()),
            ..OauthSettings::default()
        };
        let set = endpoints(AccountKind::ClaudeOauth, &settings, Flow::Subscription);
        assert_eq!(
            set,
            Endpoints {
                token_url: "http://127.0.0.1:9/token".into(),
                scope: "user:inference user:profile".into(),
                ..own
            }
        );
        let setup = endpoints(AccountKind::ClaudeOauth, &settings, Flow::SetupToken);
        assert_eq!(setup.scope, "user:inference");
    }

    #[test]
    fn a_silent_refusal_is_told_by_its_status() {
        let fault =
            |said: &str| TokenFault::Unavailable { status: 403, retry_at: None, said: said.into() };
        assert_eq!(fault("").to_string(), "the token endpoint answered 403");
        assert_eq!(fault("not now").to_string(), "the token endpoint answered 403: not now");
    }
}
