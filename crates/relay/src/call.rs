//! One call: from an admitted request to a settled answer.
//!
//! `run` chooses accounts and makes attempts until one answers; `ledger` remembers what happened
//! and settles it once, however the call ends; `stream` and `unary` bring the answer down.

mod admission;
mod answer;
mod attempt;
mod deadlines;
mod descent;
mod doubt;
mod ledger;
mod pick;
mod run;
mod seldom;
mod stream;
mod unary;
mod upstream_body;
mod waiting;

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use relay_core::clock::Timestamp;
use relay_core::endpoint::Endpoint;
use relay_core::id::{CallId, SessionId};
use relay_core::model::ModelFamily;
use relay_core::protocol::{Family, Service};
use relay_core::schedule::Hold;
use relay_wire::chat::stream_usage::Splice;
use relay_wire::edit::Missing;
use relay_wire::gemini::envelope::Place;
use tokio::time::Instant;

pub use admission::{Permit, admit};
pub use answer::{Answer, serve};
pub(crate) use attempt::EVENT_BYTES_MAX;
pub use unary::Orphanage;
pub(crate) use upstream_body::UpstreamBody;

use crate::client_id::ClientId;
use crate::expectation::Expected;
use crate::keyring::Holder;
use crate::shutdown::OpenMark;

/// What becomes of a field that a rule sets and that is not there: a count knows fewer fields than
/// a conversation, and refuses those that it does not know.
pub const fn missing(endpoint: Endpoint) -> Missing {
    if endpoint.only_counts() { Missing::Leave } else { Missing::Add }
}

/// What of a body changes from account to account.
#[derive(Debug, Clone)]
pub enum Form {
    /// The model's name, which stands here, quotes included.
    Named(Range<usize>),
    /// The same, and whether a stream of Chat states its usage.
    Chat {
        /// Where the model's name stands.
        model: Range<usize>,
        /// What has to change for the stream to state its usage, if the client does not ask for it.
        usage: Option<Splice>,
    },
    /// Nothing: Google names the model in the address.
    Google,
    /// The model's name and the project, which stand around what Google is asked.
    Enveloped(Place),
}

/// Everything about a call but its body.
#[derive(Debug)]
pub struct Call {
    /// Identity.
    pub id: CallId,
    /// When it came.
    pub at: Timestamp,
    /// When it came, on the clock that measures spans.
    pub started: Instant,
    /// Whose it is.
    pub holder: Arc<Holder>,
    /// The shape of its errors.
    pub family: Family,
    /// Whose accounts serve it.
    pub service: Service,
    /// What is asked.
    pub endpoint: Endpoint,
    /// The path as the client called it.
    pub path: String,
    /// Its query.
    pub query: Option<String>,
    /// Its headers.
    pub headers: HeaderMap,
    /// The model that the client asked for.
    pub asked: String,
    /// The model that this stands for, by the aliases of the key.
    pub model: String,
    /// What of the body changes from account to account.
    pub form: Form,
    /// The model's family.
    pub model_family: ModelFamily,
    /// Whether a stream is asked for.
    pub streamed: bool,
    /// The conversation, scoped to the key.
    pub session: Option<SessionId>,
    /// How firmly the conversation holds to the account that served it.
    pub hold: Hold,
    /// The client's id; empty if unknown.
    pub client: ClientId,
    /// The client's address.
    pub address: IpAddr,
    /// What it is expected to use.
    pub expected: Expected,
    /// What it holds of its key; a count of tokens holds nothing.
    pub permit: Option<Permit>,
    /// Its place among all open calls.
    pub open: OpenMark,
}

/// The body of a call, until the last possible attempt takes it.
#[derive(Debug)]
pub struct CallBody(Option<Bytes>);

impl CallBody {
    /// Wraps a body.
    pub const fn new(bytes: Bytes) -> Self {
        Self(Some(bytes))
    }

    /// The body for one more attempt; the last takes it, so that memory is given back while the
    /// answer streams.
    fn for_attempt(&mut self, is_last: bool) -> Option<Bytes> {
        if is_last { self.0.take() } else { self.0.clone() }
    }
}
