//! One connection: requests in, answers out, faults where the script wants them.

use std::io;
use std::sync::Arc;

use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::log::{InFlight, SeenRequest, Served};
use super::{State, decide, inspect};
use crate::answer::{Fault, Moment};
use crate::anthropic::ask::Ask;
use crate::http1::{BodyEnd, Head, Inbound, LAST_CHUNK, write_chunk};
use crate::plan::Plan;

/// What comes after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    NextRequest,
    Close,
    Reset,
}

/// Serves a connection to its end; what breaks it is the peer's or the script's doing.
pub(super) async fn serve(mut socket: TcpStream, state: Arc<State>) {
    let then = match socket.set_nodelay(true) {
        Ok(()) => serve_requests(&mut socket, &state).await.unwrap_or(Then::Close),
        Err(_) => Then::Close,
    };
    if then == Then::Reset {
        // Failing means that the peer has gone already.
        let _ = socket.set_zero_linger();
    } else {
        let _ = socket.shutdown().await;
    }
}

async fn serve_requests(socket: &mut TcpStream, state: &State) -> io::Result<Then> {
    // Borrowed halves: the owned ones send a FIN when they go, which a reset must not.
    let (reader, mut writer) = socket.split();
    let mut inbound = Inbound::new(reader);
    while let Some(head) = inbound.head().await? {
        let mut seen = read_request(head, &mut inbound, &mut writer).await?;
        seen.owner = state.issuer.owner_of(&seen);
        let wants_close = seen.header("connection").eq_ignore_ascii_case("close");
        let then = match inspect::answer(&seen, state) {
            Some(answer) => {
                let plan = Plan::new(&answer, None, 0);
                deliver((&plan, None), &mut inbound, &mut writer, &mut Progress::default()).await
            }
            None => answer(seen, state, &mut inbound, &mut writer).await,
        };
        if then != Then::NextRequest || wants_close {
            return Ok(then);
        }
    }
    Ok(Then::Close)
}

async fn read_request<R: AsyncRead + Unpin>(
    head: Head,
    inbound: &mut Inbound<R>,
    writer: &mut (impl AsyncWrite + Unpin),
) -> io::Result<SeenRequest> {
    if expects_continue(&head.headers) {
        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let end = BodyEnd::of_request(&head.headers)?;
    let body = inbound.body(end).await?;
    Ok(SeenRequest::new(head, body))
}

fn expects_continue(headers: &HeaderMap) -> bool {
    headers
        .get("expect")
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

async fn answer<R: AsyncRead + Unpin>(
    seen: SeenRequest,
    state: &State,
    inbound: &mut Inbound<R>,
    writer: &mut (impl AsyncWrite + Unpin),
) -> Then {
    let in_flight = state.log.begin(seen.clone());
    let ask = match seen.format() {
        Some(format) => format.read(&seen.path_and_query, &seen.body),
        None => Err("nothing is asked"),
    };
    let (answer, ticket) = match state.scripted(&seen) {
        Some(answer) => (answer, None),
        None => state.issuer.answer(&seen, &state.time, inbound.peer_left()).await.unwrap_or_else(
            || (decide::usual(&seen, ask.as_ref().map_err(|lack| *lack), state), None),
        ),
    };
    let answer = answer.in_shape_of(seen.family()).given_at(state.time.now());
    let mut plan = Plan::new(&answer, ask.as_ref().ok(), state.next_serial());
    if seen.method == "HEAD" {
        plan.drop_body();
    }
    let mut progress = Progress::default();
    let then = deliver((&plan, Some(&in_flight)), inbound, writer, &mut progress).await;
    if let Some(ticket) = ticket.filter(|_| !progress.complete) {
        ticket.undelivered();
    }
    in_flight.end(Served {
        call: seen.call(),
        nonce: ask.as_ref().ok().and_then(Ask::nonce),
        path: seen.path().to_owned(),
        api_key: seen.api_key.clone(),
        owner: seen.owner.clone(),
        model: ask.map(|ask| ask.model).unwrap_or_default(),
        status: plan.status,
        usage: plan.usage,
        reasoning: plan.reasoning,
        account: seen.account(),
        delivered_whole: progress.complete && plan.ends_well,
        events_sent: plan.events.iter().filter(|end| **end <= progress.bytes_sent).count(),
        bytes_sent: progress.bytes_sent,
        cancelled_by_peer: progress.peer_left,
        body: plan.body,
    });
    then
}

/// How far an answer has come.
#[derive(Debug, Default)]
struct Progress {
    bytes_sent: usize,
    complete: bool,
    peer_left: bool,
}

/// Carries out a plan, and stops at once when the peer leaves.
async fn deliver<R: AsyncRead + Unpin>(
    (plan, in_flight): (&Plan, Option<&InFlight<'_>>),
    inbound: &mut Inbound<R>,
    writer: &mut (impl AsyncWrite + Unpin),
    progress: &mut Progress,
) -> Then {
    let sent = tokio::select! {
        biased;
        () = inbound.peer_left() => None,
        sent = send((plan, in_flight), writer, &mut *progress) => sent.ok(),
    };
    progress.peer_left = sent.is_none();
    sent.unwrap_or(Then::Close)
}

async fn send(
    (plan, in_flight): (&Plan, Option<&InFlight<'_>>),
    writer: &mut (impl AsyncWrite + Unpin),
    progress: &mut Progress,
) -> io::Result<Then> {
    tokio::time::sleep(plan.delay).await;
    if let Some((fault, Moment::Head)) = plan.fault {
        return Ok(commit(fault).await);
    }
    if plan.head_pause.is_zero() {
        writer.write_all(&plan.head).await?;
    } else {
        for line in plan.head.split_inclusive(|byte| *byte == b'\n') {
            tokio::time::sleep(plan.head_pause).await;
            writer.write_all(line).await?;
        }
    }
    send_body((plan, in_flight), writer, progress).await?;
    if let Some((fault, _)) = plan.fault {
        return Ok(commit(fault).await);
    }
    if plan.chunked {
        writer.write_all(LAST_CHUNK).await?;
    }
    progress.complete = true;
    Ok(if plan.closes { Then::Close } else { Then::NextRequest })
}

async fn send_body(
    (plan, in_flight): (&Plan, Option<&InFlight<'_>>),
    writer: &mut (impl AsyncWrite + Unpin),
    progress: &mut Progress,
) -> io::Result<()> {
    let mut framed = Vec::new();
    for &end in &plan.writes {
        if !plan.pace.is_zero() {
            tokio::time::sleep(plan.pace).await;
        }
        if let Some(in_flight) = in_flight.filter(|_| end == plan.body.len()) {
            in_flight.hands_out_the_end();
        }
        let part = &plan.body[progress.bytes_sent..end];
        if plan.chunked {
            framed.clear();
            write_chunk(part, &mut framed);
            writer.write_all(&framed).await?;
        } else {
            writer.write_all(part).await?;
        }
        progress.bytes_sent = end;
    }
    Ok(())
}

async fn commit(fault: Fault) -> Then {
    match fault {
        Fault::Reset => Then::Reset,
        Fault::Cut => Then::Close,
        Fault::Hang => std::future::pending().await,
    }
}
