//! What pages that are open are told as it happens, and the calls that are under way.
//!
//! One task gathers for all of them, and only while somebody listens; calls add to numbers that
//! are there for the figures anyway.

mod state;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::Path;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use parking_lot::Mutex;
use relay_core::id::CallId;
use relay_store::changes::Subject;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::state::Minutes;
pub(super) use self::state::StateNow;
use super::answer::{Change, Code, Done, Note, Problem, Read};
use super::guard::Who;
use crate::app::App;
use crate::open_calls;
use crate::shutdown::Stage;
use crate::verbs::call::{self, CallView};

/// Pages that listen at one time.
const LISTENERS_MAX: usize = 64;
/// How often the state is gathered.
const GATHER_EVERY: Duration = Duration::from_secs(1);
/// How often a listener hears something, and is looked at anew.
const PING_EVERY: Duration = Duration::from_secs(15);
/// Edits that wait for a slow listener; it is told of all kinds if there are more.
const CHANGES_WAIT_MAX: usize = 64;
/// How long a call may take to end that is told to.
const ENDS_WITHIN: Duration = Duration::from_secs(2);
/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The addresses of what happens.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(events)).routes(routes!(calls)).routes(routes!(cancel))
}

/// What pages that are open are told.
#[derive(Debug)]
pub(super) struct Live {
    state: watch::Sender<StateNow>,
    changed: broadcast::Sender<Kind>,
    /// Counts what may have shut somebody out.
    again: watch::Sender<u64>,
    room: Arc<Semaphore>,
    minutes: Mutex<Minutes>,
}

/// What kind of thing was edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChangedKind)]
enum Kind {
    /// An account.
    Account,
    /// A group of accounts.
    Group,
    /// A key.
    Key,
    /// A price.
    Price,
    /// A setting.
    Setting,
    /// An administrator.
    Admin,
}

/// The event `changed`: some things of a kind were edited, whoever did it by whatever door.
#[derive(Debug, Serialize, ToSchema)]
struct LiveChanged {
    /// What kind of things.
    subject: Kind,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            state: watch::Sender::default(),
            changed: broadcast::Sender::new(CHANGES_WAIT_MAX),
            again: watch::Sender::default(),
            room: Arc::new(Semaphore::new(LISTENERS_MAX)),
            minutes: Mutex::default(),
        }
    }
}

impl Live {
    /// Tells which kinds of things were edited.
    pub(super) fn changed(&self, subjects: &[Subject]) {
        for subject in subjects {
            // It is nobody's loss if nobody listens.
            let _ = self.changed.send(Kind::from(*subject));
        }
        if subjects.contains(&Subject::Admin) {
            self.look_again();
        }
    }

    /// Something changed by which somebody may have been shut out.
    pub(super) fn look_again(&self) {
        self.again.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Account, Self::Group, Self::Key, Self::Price, Self::Setting, Self::Admin];
}

impl From<Subject> for Kind {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::Account => Self::Account,
            Subject::Group => Self::Group,
            Subject::Key => Self::Key,
            Subject::Price => Self::Price,
            Subject::Setting => Self::Setting,
            Subject::Admin => Self::Admin,
        }
    }
}

/// Gathers what listeners are told, for ever.
pub async fn gather(app: Arc<App>) {
    let mut every = tokio::time::interval(GATHER_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let live = &app.desk.live;
        live.minutes.lock().take(app.now(), app.metrics.so_far());
        if live.state.receiver_count() == 0 {
            continue;
        }
        let next = now(&app);
        live.state.send_if_modified(|told| {
            let is_news = *told != next;
            if is_news {
                *told = next;
            }
            is_news
        });
    }
}

/// The state of this moment.
fn now(app: &App) -> StateNow {
    let minutes = app.desk.live.minutes.lock().shown(app.now(), app.metrics.so_far());
    StateNow::of(app, &minutes)
}

/// What happens, as server-sent events: `state` at first and then at most once a second when
/// something changed, `changed` when things were edited. Ends when the session does.
#[utoipa::path(get, path = "/admin/live", tag = "live", operation_id = "live_events",
    responses(
        (status = 200, description = "Events: `state` (LiveState), `changed` (LiveChanged)",
            body = StateNow, content_type = "text/event-stream"),
        (status = 429, body = Problem, description = "Too many pages listen")))]
async fn events(who: Who) -> Result<Response, Problem> {
    let live = &who.app.desk.live;
    let room = Arc::clone(&live.room).try_acquire_owned().map_err(|_| {
        let why = format!("{LISTENERS_MAX} pages are told what happens already: close one");
        Problem::new(Code::Throttled, why).after_seconds(PING_EVERY.as_secs())
    })?;
    let mut every = tokio::time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut state = live.state.subscribe();
    state.mark_unchanged();
    let listener = Listener {
        waiting: VecDeque::from([event("state", &now(&who.app))]),
        state,
        changed: live.changed.subscribe(),
        again: live.again.subscribe(),
        draining: Box::pin(who.app.shutdown.reached(Stage::Draining)),
        every,
        who,
        _room: room,
    };
    let keep_alive = KeepAlive::new().interval(PING_EVERY).text("ping");
    let mut response = Sse::new(told(listener)).keep_alive(keep_alive).into_response();
    // Proxies in front must not collect events before passing them on.
    let no = http::HeaderValue::from_static("no");
    response.headers_mut().insert("x-accel-buffering", no);
    Ok(response)
}

/// Somebody who listens.
struct Listener {
    who: Who,
    waiting: VecDeque<Event>,
    state: watch::Receiver<StateNow>,
    changed: broadcast::Receiver<Kind>,
    again: watch::Receiver<u64>,
    draining: Pin<Box<dyn Future<Output = ()> + Send>>,
    every: Interval,
    _room: OwnedSemaphorePermit,
}

fn told(listener: Listener) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    })
}

impl Listener {
    /// The next event; none if this is the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            tokio::select! {
                () = &mut self.draining => return None,
                heard = self.changed.recv() => match heard {
                    Ok(subject) => self.waiting.push_back(changed(subject)),
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        self.waiting.extend(Kind::ALL.map(changed));
                    }
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
                Ok(()) = self.state.changed() => {
                    let state = self.state.borrow_and_update().clone();
                    self.waiting.push_back(event("state", &state));
                }
                Ok(()) = self.again.changed() => is_still_known(&self.who).await?,
                _ = self.every.tick() => is_still_known(&self.who).await?,
            }
        }
    }
}

/// Whether who listens may still do so. A database that is busy shuts nobody out.
async fn is_still_known(who: &Who) -> Option<()> {
    who.is_still_known().await.unwrap_or(true).then_some(())
}

fn changed(subject: Kind) -> Event {
    event("changed", &LiveChanged { subject })
}

fn event<T: Serialize>(name: &str, data: &T) -> Event {
    Event::default().event(name).data(serde_json::to_string(data).unwrap_or_default())
}

/// Who is calling now, the oldest call first.
#[utoipa::path(get, path = "/admin/live/calls", tag = "live", operation_id = "live_calls",
    responses((status = 200, body = Vec<CallView>)))]
async fn calls(who: Who) -> Read<Vec<CallView>> {
    Ok(Json(call::list(open_calls::list(&who.app))))
}

/// A call that was told to end.
#[derive(Debug, Serialize, ToSchema)]
struct Cancelled {
    /// The call as it was.
    call: CallView,
    /// Whether it has ended by now. One whose client takes nothing ends when that goes away.
    ended: bool,
}

/// Ends a call: what it used until now is charged as estimated, and its client is told.
#[utoipa::path(post, path = "/admin/live/calls/{call}/cancel", tag = "live",
    operation_id = "live_cancel", params(("call" = String, Path, description = "Its id")),
    responses((status = 200, body = Cancelled), (status = 404, body = Problem)))]
async fn cancel(who: Who, Path(name): Path<String>) -> Change<Cancelled> {
    let app = &who.app;
    let gone = || Problem::new(Code::NotFound, "this call is not open, or has ended by itself");
    let id: CallId = name.trim().parse().map_err(|_| gone())?;
    let open = call::list(open_calls::list(app)).into_iter().find(|call| call.id == id);
    let call = open.ok_or_else(gone)?;
    if !app.open_calls.cancel(id) {
        return Err(gone());
    }
    let ending = async {
        while app.open_calls.has(id) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let ended = tokio::time::timeout(ENDS_WITHIN, ending).await.is_ok();
    let account = call.account.as_deref().unwrap_or("none");
    let detail = format!("key: {}, account: {account}, model: {}", call.key, call.model);
    Ok(Done { note: Note::of(id, &call.key).with(detail), answer: Cancelled { call, ended } })
}
