//! What a test came to.

use std::net::SocketAddr;

use relay_core::account::Account;
use relay_core::clock::Timestamp;
use relay_core::credential::Identity;
use relay_core::endpoint::Endpoint;
use relay_core::id::AccountId;
use relay_core::price::PriceList;
use relay_core::proxy::Proxy;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ask::Heard;
use super::{Way, judge};
use crate::text::{Language, retold};
use crate::verbs::account::document::IdentityDoc;
use crate::verbs::moment;

/// What a test came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The upstream answered and accepts the secret.
    Works,
    /// The upstream answered and does not accept the secret, or does not permit the account.
    Refused,
    /// The upstream accepts the secret, and the account is at its limit.
    Limited,
    /// The upstream is there, but what it answered does not tell whether it accepts the secret:
    /// some compatible hosts have no list of models.
    Unclear,
    /// The upstream answered with an error of its own.
    Failing,
    /// No answer came in time, or no connection.
    Unreachable,
    /// There is no secret to ask with: the account is signed out, or its token has ended.
    NoToken,
}

impl Verdict {
    /// The verdict for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Refused => "refused",
            Self::Limited => "at its limit; the secret is accepted",
            Self::Unclear => "unclear whether it works",
            Self::Failing => "the upstream has an error of its own",
            Self::Unreachable => "cannot be reached",
            Self::NoToken => "has no token to ask with",
        }
    }
}

/// The result of a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccountTest {
    /// Which account.
    #[schema(value_type = String)]
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// What the test came to.
    pub verdict: Verdict,
    /// The upstream's status, if it answered.
    pub status: Option<u16>,
    /// Milliseconds to the head of the answer, or until the attempt was given up.
    pub millis: u64,
    /// What was in the way, in words.
    pub fault: Option<String>,
    /// What the upstream said of a refusal.
    pub said: Option<String>,
    /// When a limit ends, in RFC 3339.
    pub resets_at: Option<String>,
    /// The way out: `direct`, or the proxy without its login.
    pub exit: String,
    /// The address at which the host is reached, or the proxy, if its name can be looked up.
    #[schema(value_type = Option<String>)]
    pub exit_address: Option<SocketAddr>,
    /// The model that was asked.
    pub model: Option<String>,
    /// What it answered.
    pub answer: Option<String>,
    /// What that used.
    pub usage: Option<TestUsage>,
    /// Whose sign-in it is, and with which plan.
    #[schema(value_type = Option<IdentityDoc>)]
    pub plan: Option<Identity>,
    /// By how many milliseconds the clock here is ahead of the provider's, as its answer dates.
    #[serde(default)]
    pub clock_ahead_millis: Option<i64>,
}

/// What a test used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TestUsage {
    /// Tokens of input, caches included.
    pub input_tokens: u64,
    /// Tokens of output.
    pub output_tokens: u64,
    /// What they cost by the price list.
    pub cost_usd: f64,
}

impl AccountTest {
    pub(super) fn begin(account: &Account) -> Self {
        Self {
            id: account.id,
            name: account.name.clone(),
            verdict: Verdict::Unclear,
            status: None,
            millis: 0,
            fault: None,
            said: None,
            resets_at: None,
            exit: account.proxy.as_ref().map_or("direct".to_owned(), Proxy::masked),
            exit_address: None,
            model: None,
            answer: None,
            usage: None,
            plan: None,
            clock_ahead_millis: None,
        }
    }

    /// A test that was not made, as nobody could be asked to.
    pub fn not_made(account: &Account, why: String) -> Self {
        Self { fault: Some(why), ..Self::begin(account) }
    }

    pub(super) fn with_cost(
        mut self,
        (heard, endpoint): (&Heard, Option<Endpoint>),
        prices: &PriceList,
        way: Way<'_>,
    ) -> Self {
        if let (Some(endpoint), Some(model)) = (endpoint, &self.model) {
            let asked = (way.account.kind.service(), endpoint, model.as_str());
            self.usage = judge::usage(heard, asked, prices, way.now);
        }
        self
    }

    /// The same for people who read another language.
    #[must_use]
    pub fn retold(mut self, language: Language) -> Self {
        self.fault = self.fault.map(|words| retold(&words, language));
        self.exit = retold(&self.exit, language);
        self
    }

    pub(super) fn resets(&mut self, at: Option<Timestamp>) {
        self.resets_at = at.map(moment::rfc3339);
    }
}
