//! Reads the answer of an attempt: a stream up to its first content or to its end, a whole answer.

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use relay_upstream::fault::{Blame, Fault, status_of_kind};
use relay_wire::anthropic::error::ErrorBody;
use relay_wire::broken;
use relay_wire::meter::{Meter, Phase};
use relay_wire::sse::{Batch, SseFramer};
use tokio::time::{Instant, timeout_at};

use super::{
    ANSWER_BYTES_MAX, EVENT_BYTES_MAX, Failed, HELD_BACK_MAX, Reply, StreamHead, Try, WholeReply,
};
use crate::call::deadlines::Silence;
use crate::call::descent::WayBack;
use crate::call::upstream_body::{BodyFault, UpstreamBody};

impl Try<'_> {
    /// Reads a stream until its first content, its end, or as much as is held back.
    pub(super) async fn read_to_content(
        &self,
        reading: Reading<'_>,
        meter: &mut Meter,
    ) -> Result<Reply, Failed> {
        let Reading { upstream, shown, mut body, idle } = reading;
        let mut framer = SseFramer::new(EVENT_BYTES_MAX);
        let mut held = Vec::new();
        let mut held_bytes = 0;
        loop {
            let Some(chunk) = next_chunk(&mut body, idle, Instant::now() + idle.max).await? else {
                // Some protocols have no event for the end.
                if !meter.may_close() {
                    return Err(Fault::broken("cut_before_content").into());
                }
                return Ok(self.begun(shown, held, (framer, body), Progress::Content));
            };
            let batch = framer.push(chunk).map_err(|_| Fault::broken("event_too_large"))?;
            let progress = observe(meter, &batch);
            if let Progress::GaveUp(error) = &progress {
                self.judge_event(error, &batch, upstream)?;
            }
            held_bytes += batch.raw().len();
            if !batch.raw().is_empty() {
                held.push(batch);
            }
            let ended = matches!(progress, Progress::Whole | Progress::GaveUp(_));
            if ended || matches!(progress, Progress::Content) || held_bytes > HELD_BACK_MAX {
                return Ok(self.begun(shown, held, (framer, body), progress));
            }
        }
    }

    /// A stream whose beginning was read.
    fn begun(
        &self,
        shown: HeaderMap,
        held: Vec<Batch>,
        (framer, body): (SseFramer, UpstreamBody),
        progress: Progress,
    ) -> Reply {
        let (headers, descent) = (self.shown_of_stream(shown), self.outgoing.back.stream());
        Reply::Stream(StreamHead { headers, held, descent, framer, body, progress })
    }

    /// The headers of a stream for a client: of one that is told anew, not how its upstream's came.
    fn shown_of_stream(&self, mut shown: HeaderMap) -> HeaderMap {
        if matches!(self.outgoing.back, WayBack::Translated(_)) {
            shown.remove(CONTENT_TYPE);
        }
        shown
    }

    /// Nothing was passed on yet: whose fault an event of error is decides whether it is.
    fn judge_event(
        &self,
        error: &ErrorBody,
        batch: &Batch,
        upstream: &HeaderMap,
    ) -> Result<(), Failed> {
        let status = status_of_kind(self.member.account.kind.service(), &error.kind);
        let last = batch.events().last();
        let data = last.as_ref().map_or(&b""[..], |event| &event.data);
        match self.judge((status, &error.message, data), upstream) {
            Blame::Account(fault) => Err(fault.into()),
            Blame::Caller => Ok(()),
        }
    }

    /// Reads a stream to its end, for a client that asked for a whole answer. Nothing of it is passed
    /// on before, so that another account may still be asked.
    pub(super) async fn gather(
        &self,
        reading: Reading<'_>,
        meter: &mut Meter,
        deadline: Instant,
    ) -> Result<Reply, Failed> {
        let Reading { upstream, mut shown, mut body, idle } = reading;
        let mut framer = SseFramer::new(EVENT_BYTES_MAX);
        let mut gathering = self.outgoing.back.collector();
        let mut bytes = 0;
        loop {
            let until = deadline.min(Instant::now() + idle.max);
            let Some(chunk) = next_chunk(&mut body, idle, until).await? else {
                if meter.may_close() {
                    break;
                }
                return Err(Fault::broken("cut").into());
            };
            bytes += chunk.len();
            if bytes > ANSWER_BYTES_MAX {
                return Err(Fault::broken("answer_too_large").into());
            }
            let batch = framer.push(chunk).map_err(|_| Fault::broken("event_too_large"))?;
            let progress = observe(meter, &batch);
            gathering.push(&batch);
            match &progress {
                Progress::Preamble | Progress::Content => {}
                Progress::Whole => break,
                Progress::GaveUp(error) => {
                    self.judge_event(error, &batch, upstream)?;
                    let status = status_of_kind(self.member.account.kind.service(), &error.kind);
                    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
                    return Ok(Reply::Whole(self.told_refusal(status, shown, &error.message)));
                }
            }
        }
        let body = gathering.finish().map_err(|_| Fault::broken("unreadable_answer"))?;
        shown.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let metered = Some(meter.metered());
        Ok(Reply::Whole(WholeReply { status: StatusCode::OK, headers: shown, body, metered }))
    }

    /// A refusal in the words of the upstream and the shape of the client's protocol.
    pub(super) fn told_refusal(
        &self,
        status: StatusCode,
        mut headers: HeaderMap,
        said: &str,
    ) -> WholeReply {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let said = if said.is_empty() { "the provider refused the call" } else { said };
        let (protocol, id) = (self.call.endpoint.protocol(), self.call.id.to_string());
        let body = broken::body(protocol, status.as_u16(), said, &id).into();
        WholeReply { status, headers, body, metered: None }
    }
}

/// A stream that has begun.
pub(super) struct Reading<'a> {
    /// The headers as they came.
    pub(super) upstream: &'a HeaderMap,
    /// Those for the client.
    pub(super) shown: HeaderMap,
    pub(super) body: UpstreamBody,
    pub(super) idle: Silence,
}

/// The next bytes of a stream; `None` is its end.
async fn next_chunk(
    body: &mut UpstreamBody,
    idle: Silence,
    until: Instant,
) -> Result<Option<Bytes>, Fault> {
    match timeout_at(until, body.chunk()).await {
        Err(_) => Err(idle.passed("stream_idle")),
        Ok(None) => Ok(None),
        Ok(Some(Err(fault))) => Err(Fault::broken(word(fault))),
        Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
    }
}

/// Reads a whole answer.
pub(super) async fn read_whole(
    mut body: UpstreamBody,
    deadline: Instant,
    bytes_max: usize,
) -> Result<Bytes, Fault> {
    let mut whole: Option<Bytes> = None;
    let mut joined = BytesMut::new();
    loop {
        let chunk = match timeout_at(deadline, body.chunk()).await {
            Err(_) => return Err(Fault::timeout("answer_timeout")),
            Ok(None) => break,
            Ok(Some(Err(fault))) => return Err(Fault::broken(word(fault))),
            Ok(Some(Ok(chunk))) => chunk,
        };
        if joined.len() + whole.as_ref().map_or(0, Bytes::len) + chunk.len() > bytes_max {
            return Err(Fault::broken("answer_too_large"));
        }
        // Most answers are one chunk, which is passed on without a copy.
        if joined.is_empty() && whole.is_none() {
            whole = Some(chunk);
        } else {
            joined.extend_from_slice(&whole.take().unwrap_or_default());
            joined.extend_from_slice(&chunk);
        }
    }
    Ok(whole.unwrap_or_else(|| joined.freeze()))
}

/// How far a stream has come with a batch of events.
#[derive(Debug)]
pub(in crate::call) enum Progress {
    /// Nothing of the answer yet.
    Preamble,
    /// Part of the answer.
    Content,
    /// The answer is whole.
    Whole,
    /// The upstream gave up, and said why.
    GaveUp(ErrorBody),
}

/// Meters a batch.
pub(in crate::call) fn observe(meter: &mut Meter, batch: &Batch) -> Progress {
    let mut progress = Progress::Preamble;
    for event in batch.events() {
        match meter.observe(&event) {
            Phase::Preamble => {}
            Phase::Content => progress = Progress::Content,
            Phase::Terminal => return Progress::Whole,
            Phase::Error(error) => return Progress::GaveUp(error),
        }
    }
    progress
}

/// The word of a body's fault.
pub(in crate::call) const fn word(fault: BodyFault) -> &'static str {
    match fault {
        BodyFault::Broken => "connection_broken",
        BodyFault::NotGzip => "not_gzip",
    }
}
