//! One row for each kind of account: what it speaks, where it is, how it proves who it is.

use relay_core::account::AccountKind;
use relay_core::protocol::Protocol;

/// How a request is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// An API key in a header.
    ApiKey,
    /// The access token of a Claude subscription.
    ClaudeOauth,
}

/// What is fixed for a kind of account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// What the upstream speaks.
    pub speaks: Protocol,
    /// How a request is authenticated.
    pub auth: Auth,
    /// Where it is unless the account says otherwise.
    pub default_base_url: &'static str,
}

/// The profile of a kind.
pub const fn profile(kind: AccountKind) -> Profile {
    match kind {
        AccountKind::ClaudeOauth => Profile {
            speaks: Protocol::Messages,
            auth: Auth::ClaudeOauth,
            default_base_url: "https://api.anthropic.com",
        },
        AccountKind::ClaudeApi => Profile {
            speaks: Protocol::Messages,
            auth: Auth::ApiKey,
            default_base_url: "https://api.anthropic.com",
        },
    }
}
