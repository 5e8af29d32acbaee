//! Calls: those that are open now, and those that are over.

mod log;

use std::net::IpAddr;

use relay_core::clock::Timestamp;
use relay_core::id::CallId;
use serde::Serialize;
use utoipa::ToSchema;

pub use self::log::{AttemptView, CallDetail, CallRow, Named, Page, detail, page, rows};
use crate::open_calls::{CallLive, Phase};
use crate::verbs::moment;

/// An open call as it is shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = OpenCall)]
pub struct CallView {
    /// Identity; the client knows it as `request-id`.
    #[schema(value_type = String)]
    pub id: CallId,
    /// The name of its key.
    pub key: String,
    /// Whose the key is.
    pub owner: String,
    /// The account that serves it, or was asked last.
    pub account: Option<String>,
    /// The model that it asks for.
    pub model: String,
    /// When it came.
    #[serde(serialize_with = "moment::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How long ago that is.
    pub age_ms: u64,
    /// How far it has come.
    pub phase: Phase,
    /// Whether it asked for a stream.
    pub streamed: bool,
    /// Tokens of its input, once they are known.
    pub input_tokens: Option<u64>,
    /// Tokens of the answer so far, estimated.
    pub output_tokens: u64,
    /// The client's id; empty if unknown.
    pub client: String,
    /// Attempts until now.
    pub attempts: u32,
    /// The client's address.
    #[schema(value_type = String)]
    pub address: IpAddr,
}

/// The calls that a running server told of, the oldest first.
pub fn list(mut calls: Vec<CallLive>) -> Vec<CallView> {
    calls.sort_by_key(|call| (std::cmp::Reverse(call.age_millis), call.id));
    calls.into_iter().map(CallView::from).collect()
}

impl From<CallLive> for CallView {
    fn from(live: CallLive) -> Self {
        Self {
            id: live.id,
            key: live.key,
            owner: live.owner,
            account: live.account,
            model: live.model,
            at: live.at,
            age_ms: live.age_millis,
            phase: live.phase,
            streamed: live.streamed,
            input_tokens: live.input_tokens,
            output_tokens: live.output_tokens,
            client: live.client,
            attempts: live.attempts,
            address: live.address,
        }
    }
}
