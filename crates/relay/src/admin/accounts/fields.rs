//! The fields of an account as the admin API is given them: of one to be added, or to be changed.

mod convert;

use relay_core::account::{AccountKind, ClientRule, KeyHeader, Sharing, Speaks};
use relay_core::model::ModelMapping;
use relay_core::payload::PayloadRule;
use serde::Deserialize;
use serde_json::Number;
use utoipa::ToSchema;

use crate::admin::given::{Hidden, Named, named};
use crate::verbs::account::{MappingDoc, PayloadDoc};

pub(in crate::admin) use self::convert::{By, Place, proxy};

/// Fields of an account. Of one that is added, those that are left out are as usual, and name and
/// kind are needed; of one that is changed, they stay. Null makes a field as usual again.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct AccountFields {
    /// The name; unique.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    pub(super) name: Named<String>,
    /// How it is reached; it never changes. See GET /admin/kinds.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    pub(super) kind: Named<AccountKind>,
    /// Scheme, host and optional path prefix.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    pub(super) base_url: Named<String>,
    /// What it signs in by: an API key, tokens as JSON, or a setup token.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>, write_only)]
    pub(super) secret: Named<Hidden>,
    /// The secret of an application of the account's own, for gemini-oauth; when it is added.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>, write_only)]
    pub(super) client_secret: Named<Hidden>,
    /// The proxy that all its traffic goes through, login included; null or empty is none.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    pub(super) proxy: Named<Hidden>,
    /// The operator's switch.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<bool>)]
    pub(super) enabled: Named<bool>,
    /// Lower goes first; 50 is the usual.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<i32>)]
    pub(super) priority: Named<i32>,
    /// Share of calls among accounts of one priority; 1 is the usual.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<u32>)]
    pub(super) weight: Named<u32>,
    /// Calls at one time; 0 is no limit.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<u32>)]
    pub(super) max_concurrency: Named<u32>,
    /// Which clients it serves: `claude_code` or `any`.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    pub(super) clients: Named<ClientRule>,
    /// Models it serves, with * for anything; none is all.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<Vec<String>>)]
    pub(super) models: Named<Vec<String>>,
    /// Models that are sent upstream under another name.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<Vec<MappingDoc>>)]
    pub(super) map: Named<Vec<ModelMapping>>,
    /// The header in which a key is sent: `auto`, `x_api_key` or `bearer`.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    pub(super) key_header: Named<KeyHeader>,
    /// What an openai-api account is spoken to in: `both`, `chat` or `responses`.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    pub(super) speaks: Named<Speaks>,
    /// The Google Cloud project of a gemini-oauth account; empty is the one that Google names.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    pub(super) project: Named<String>,
    /// Headers that are added to each request, all of them. One without a value keeps its own.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<Vec<HeaderFields>>)]
    pub(super) headers: Named<Vec<HeaderFields>>,
    /// What is changed in the bodies of its calls, in order.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<Vec<PayloadDoc>>)]
    pub(super) payload: Named<Vec<PayloadRule>>,
    /// Whom it serves: `shared` or `reserved`.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    pub(super) sharing: Named<Sharing>,
    /// At how much of its quota windows it rests.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<MarkFields>)]
    pub(super) stop_at: Named<MarkFields>,
    /// What its calls may cost in a day, in dollars; 0 is no limit.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<f64>)]
    pub(super) daily_cost_usd: Named<Number>,
    /// When the subscription ends: a day (2026-12-31, to its end) or a moment (RFC 3339).
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    pub(super) ends_at: Named<String>,
    /// Where it is signed in to.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<OauthFields>)]
    pub(super) oauth: Named<OauthFields>,
    /// Milliseconds to the first byte of a streamed answer; 0 is the relay's own.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<u64>)]
    pub(super) first_byte_timeout_ms: Named<u64>,
    /// Milliseconds to the end of an answer that is not streamed; 0 is the relay's own.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<u64>)]
    pub(super) unary_timeout_ms: Named<u64>,
    /// Milliseconds between two bytes of a streamed answer; 0 is the relay's own.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<u64>)]
    pub(super) idle_timeout_ms: Named<u64>,
    /// The groups that it belongs to, all of them; made if they do not exist.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<Vec<String>>)]
    pub(super) groups: Named<Vec<String>>,
    /// A note for people.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    pub(super) note: Named<String>,
}

/// A header that is added to each request.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct HeaderFields {
    /// Its name.
    pub(super) name: String,
    /// Its value; without one, that which the account has.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub(super) value: Option<Hidden>,
}

/// At how much of its quota windows an account rests, in percent. 0 and null lift a mark, one that
/// is left out stays.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct MarkFields {
    /// Of the 5-hour window.
    #[serde(rename = "5h", default, deserialize_with = "named")]
    #[schema(value_type = Option<u8>, maximum = 100)]
    pub(super) five_hour: Named<u8>,
    /// Of the 7-day windows.
    #[serde(rename = "7d", default, deserialize_with = "named")]
    #[schema(value_type = Option<u8>, maximum = 100)]
    pub(super) seven_day: Named<u8>,
}

/// Where an account is signed in to. Null and an empty text are the provider's own place, what is
/// left out stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct OauthFields {
    /// The page on which a person agrees.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    pub(super) authorize_url: Named<String>,
    /// Where codes and refresh tokens are exchanged.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    pub(super) token_url: Named<String>,
    /// Who asks.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    pub(super) client_id: Named<String>,
    /// Where the page sends its code.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    pub(super) redirect_url: Named<String>,
    /// What is asked for, separated by spaces.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<String>)]
    pub(super) scope: Named<String>,
}
