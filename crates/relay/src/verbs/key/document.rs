//! What the document of the admin API says of rules, whose types are not of this crate.

use utoipa::ToSchema;

use crate::verbs::account::{MappingDoc, PayloadDoc};

/// What a key may ask. What is left out allows everything.
#[derive(Debug, ToSchema)]
#[schema(as = KeyRules)]
#[expect(dead_code, reason = "the document is made of it")]
pub struct RulesDoc {
    /// Models that may be asked for; * stands for anything.
    allowed_models: Option<Vec<String>>,
    /// Models that may not, whatever the other list says.
    denied_models: Option<Vec<String>>,
    /// Services that may be used: `claude`, `openai`, `gemini`.
    services: Option<Vec<String>>,
    /// Ids of the clients that may call.
    clients: Option<Vec<String>>,
    /// Addresses from which may be called, with the length of their network.
    addresses: Option<Vec<String>>,
    /// Names under which models are asked for, and what they stand for.
    aliases: Option<Vec<MappingDoc>>,
    /// The most output tokens: a call that asks for more gets this many.
    output_tokens_max: Option<u64>,
    /// The largest body, in bytes.
    body_bytes_max: Option<u64>,
    /// What is changed in the bodies of its calls, in order.
    payload: Option<Vec<PayloadDoc>>,
    /// Whether the shared accounts serve where those that it is bound to cannot.
    fallback: Option<bool>,
}
