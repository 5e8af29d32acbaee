//! One try of a call on one account: sends it and reads the answer up to its first content.

mod outgoing;
mod reading;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use relay_core::account::AccountKind;
use relay_core::health::RestCause;
use relay_core::key::{BindingTarget, Pool};
use relay_core::secret::Secret;
use relay_upstream::fault::{Blame, ClientStanding, Fault, Refused, judge};
use relay_upstream::headers::{self, LimitHeaders};
use relay_upstream::target::target;
use relay_upstream::{auth, quota};
use relay_wire::anthropic::error as wire_error;
use relay_wire::meter::{self, Meter, Metered};
use relay_wire::sse::{Batch, SseFramer};
use tokio::time::{Instant, timeout_at};

use self::outgoing::{Outgoing, outgoing, refused};
pub(super) use self::reading::{Progress, observe, word};
use self::reading::{Reading, read_whole};
use super::Call;
use super::deadlines::{Deadlines, Patience};
use super::descent::Descent;
use super::upstream_body::UpstreamBody;
use crate::app::App;
use crate::client_id::CLAUDE_CODE;
use crate::roster::Member;
use crate::tokens;

/// The largest event of a stream.
pub(crate) const EVENT_BYTES_MAX: usize = 16 << 20;
/// The largest unary answer.
pub(super) const ANSWER_BYTES_MAX: usize = 64 << 20;
/// The largest refusal that is read.
const REFUSAL_BYTES_MAX: usize = 1 << 20;
/// How much of a stream is held back for its first content.
pub(super) const HELD_BACK_MAX: usize = 64 << 10;
/// How long a refusal may take to arrive after its head.
const REFUSAL_WITHIN: Duration = Duration::from_secs(30);

/// What an upstream answered, as far as failing over is still possible.
pub(super) enum Reply {
    /// A stream, read up to its first content.
    Stream(StreamHead),
    /// A whole answer.
    Whole(WholeReply),
}

impl Reply {
    /// The upstream's status.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Stream(_) => StatusCode::OK,
            Self::Whole(reply) => reply.status,
        }
    }

    /// Whether it is an answer, and no refusal of what the caller sent.
    pub(super) fn is_good(&self) -> bool {
        match self {
            Self::Stream(head) => !matches!(head.progress, Progress::GaveUp(_)),
            Self::Whole(reply) => reply.status.is_success(),
        }
    }
}

/// The beginning of a stream.
pub(super) struct StreamHead {
    /// The headers for the client.
    pub(super) headers: HeaderMap,
    /// What was read, in whole events.
    pub(super) held: Vec<Batch>,
    /// How it gets to the client.
    pub(super) descent: Descent,
    /// What cuts the rest into events.
    pub(super) framer: SseFramer,
    /// The rest.
    pub(super) body: UpstreamBody,
    /// How far the answer has come with it.
    pub(super) progress: Progress,
}

/// A whole answer, good or refused by the upstream for what the caller sent.
pub(super) struct WholeReply {
    /// The status.
    pub(super) status: StatusCode,
    /// The headers for the client.
    pub(super) headers: HeaderMap,
    /// The body as the client gets it: byte for byte, unless it speaks another protocol.
    pub(super) body: Bytes,
    /// What the answer states of its use.
    pub(super) metered: Option<Metered>,
}

impl WholeReply {
    /// Whether it is told as a stream.
    pub(super) fn is_stream(&self) -> bool {
        self.status.is_success() && is_event_stream(&self.headers)
    }
}

/// An attempt that came to nothing.
pub(super) struct Failed {
    /// Why.
    pub(super) fault: Fault,
    /// What the upstream answered, if it is whole: the client gets it where the call is the cause.
    pub(super) answer: Option<Box<WholeReply>>,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self { fault, answer: None }
    }
}

/// Sends the call to an account. Content of the answer has not been passed on when this returns.
///
/// An access token that is refused is refreshed once, and the call is sent again with the new one.
pub(super) async fn attempt(
    app: &Arc<App>,
    call: &Call,
    member: &Arc<Member>,
    (body, patience): (Bytes, Patience),
    meter: &mut Meter,
) -> Result<Reply, Failed> {
    let secret = tokens::secret(app, member).await?;
    let project = match member.account.kind {
        AccountKind::GeminiOauth => tokens::project(app, member).await?,
        _ => String::new(),
    };
    let mut outgoing = match outgoing(app, call, (&member.account, &project), body) {
        Ok(outgoing) => outgoing,
        Err(unfit) => return Ok(Reply::Whole(refused(call, unfit))),
    };
    // Let go of once it is sent, unless it may have to be sent again.
    let body = std::mem::take(&mut outgoing.body);
    let again = member.account.kind.is_oauth().then(|| body.clone());
    *meter = Meter::of(outgoing.asked.protocol());
    let try_with = Try { app, call, member, patience, outgoing };
    let outcome = try_with.send(&secret, body, meter).await;
    match (outcome, again) {
        (Err(failed), Some(body)) if failed.fault.evidence.cause == RestCause::Unauthorised => {
            let refreshed = Box::pin(tokens::refreshed(app, member, Some(&secret)));
            let fresh = match refreshed.await {
                Ok(fresh) => fresh,
                // Only where no other token is to be had, it is the credential's fault.
                Err(fault) if fault.evidence.cause == RestCause::Unauthorised => {
                    return Err(failed);
                }
                Err(fault) => return Err(fault.into()),
            };
            *meter = Meter::of(try_with.outgoing.asked.protocol());
            // Rare, so that its state is kept apart from that of the usual attempt.
            Box::pin(try_with.send(&fresh, body, meter)).await
        }
        (outcome, _) => outcome,
    }
}

/// What one request is made from.
struct Try<'a> {
    app: &'a Arc<App>,
    call: &'a Call,
    member: &'a Arc<Member>,
    patience: Patience,
    outgoing: Outgoing,
}

impl Try<'_> {
    async fn send(&self, secret: &Secret, body: Bytes, meter: &mut Meter) -> Result<Reply, Failed> {
        let Self { app, call, member, patience, ref outgoing } = *self;
        let begun = Instant::now();
        let settings = &app.settings.calls;
        let deadlines = Deadlines::of(&member.account, settings, outgoing.streamed, patience);
        let request = request(call, member, secret, (outgoing, body));
        let request = request.map_err(|word| unsendable(app, word))?;
        let sent = timeout_at(begun + deadlines.head.max, member.client.send(request)).await;
        let response = match sent {
            Err(_) => return Err(deadlines.head.passed("first_byte_timeout").into()),
            Ok(Err(broken)) => return Err(Fault::of_connection(&broken).into()),
            Ok(Ok(response)) => response,
        };
        let now = app.now();
        app.note_windows(
            member,
            quota::told(member.account.kind.service(), response.headers(), now),
            now,
        );
        let shown = headers::response(
            member.account.kind.service(),
            response.headers(),
            limit_headers(call, member),
        );
        let (head, incoming) = response.into_parts();
        let body = UpstreamBody::new(&head.headers, incoming)
            .map_err(|_| Fault::broken("unknown_packing"))?;
        if !head.status.is_success() {
            return self.refusal(head.status, &head.headers, shown, body).await;
        }
        let is_stream = is_event_stream(&head.headers);
        if is_stream && outgoing.streamed && !call.streamed {
            let reading = Reading { upstream: &head.headers, shown, body, idle: deadlines.idle };
            return self.gather(reading, meter, begun + deadlines.unary).await;
        }
        if is_stream {
            let reading = Reading { upstream: &head.headers, shown, body, idle: deadlines.idle };
            return self.read_to_content(reading, meter).await;
        }
        let body = read_whole(body, begun + deadlines.unary, ANSWER_BYTES_MAX).await?;
        self.whole(head.status, shown, body)
    }

    /// A whole answer as the client gets it.
    fn whole(
        &self,
        status: StatusCode,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Reply, Failed> {
        let Outgoing { asked, back, .. } = &self.outgoing;
        let metered = meter::unary(*asked, &body);
        let as_stream = self.call.streamed.then(|| back.whole_as_stream(&body)).flatten();
        let told = match as_stream {
            Some(told) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
                told
            }
            None => back.whole(body, self.call.endpoint.only_counts()),
        };
        let body = told.map_err(|_| Fault::broken("unreadable_answer"))?;
        Ok(Reply::Whole(WholeReply { status, headers, body, metered }))
    }

    /// Whether the provider accepts the client on this account.
    fn client(&self) -> ClientStanding {
        let account = &self.member.account;
        if account.kind == AccountKind::ClaudeOauth && self.call.client.as_str() != CLAUDE_CODE {
            ClientStanding::Doubtful
        } else {
            ClientStanding::Accepted
        }
    }

    /// Reads a refusal and judges whose fault it is.
    async fn refusal(
        &self,
        status: StatusCode,
        upstream: &HeaderMap,
        shown: HeaderMap,
        body: UpstreamBody,
    ) -> Result<Reply, Failed> {
        let deadline = Instant::now() + REFUSAL_WITHIN;
        // A refusal is judged by its status even if its body does not arrive.
        let body = read_whole(body, deadline, REFUSAL_BYTES_MAX).await.unwrap_or_default();
        let said = wire_error::parse(&body);
        let message = said.as_ref().map_or("", |error| &error.message);
        let blame = self.judge((status.as_u16(), message, &body), upstream);
        let answer = if self.outgoing.back.tells_anew() {
            self.told_refusal(status, shown, message)
        } else {
            WholeReply { status, headers: shown, body, metered: None }
        };
        match blame {
            Blame::Account(fault) => Err(Failed { fault, answer: Some(Box::new(answer)) }),
            Blame::Caller => Ok(Reply::Whole(answer)),
        }
    }

    fn judge(&self, (status, message, body): (u16, &str, &[u8]), headers: &HeaderMap) -> Blame {
        let provider = self.member.account.kind.service();
        let refused = Refused { provider, status, message, body, headers, client: self.client() };
        judge(&refused, self.app.now())
    }
}

fn request(
    call: &Call,
    member: &Member,
    secret: &Secret,
    (outgoing, body): (&Outgoing, Bytes),
) -> Result<Request<Full<Bytes>>, &'static str> {
    let account = &member.account;
    let uri = target(&account.base_url, &outgoing.path, outgoing.query.as_deref())
        .map_err(|_| "bad_address")?;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() =
        headers::request(account.kind.service(), &call.headers, &account.extra_headers);
    auth::authenticate(request.headers_mut(), (account, member.identity.as_ref()), secret)
        .map_err(|_| "bad_secret")?;
    Ok(request)
}

/// A request that cannot be written is a mistake in the account's settings.
fn unsendable(app: &App, word: &'static str) -> Fault {
    tracing::error!(word, now = %app.now(), "an account's settings make no request");
    Fault::broken(word)
}

/// Limits are shown to a key only when they are its own: when it is bound to the account.
fn limit_headers(call: &Call, member: &Member) -> LimitHeaders {
    match call.holder.key.pool(call.service) {
        Pool::Bound(BindingTarget::Account(id)) if id == member.account.id => LimitHeaders::Pass,
        _ => LimitHeaders::Withhold,
    }
}

const EVENT_STREAM: &str = "text/event-stream";

fn is_event_stream(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.get(..EVENT_STREAM.len()))
        .is_some_and(|kind| kind.eq_ignore_ascii_case(EVENT_STREAM))
}
