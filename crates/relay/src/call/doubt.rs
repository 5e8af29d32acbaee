//! A fault of which it is not known yet whether it is the account's or the call's.
//!
//! If a second account answers the call with the same error, the call itself is the cause, and
//! nobody rests for it, however long that takes to tell. Until it is known, calls ask other
//! accounts first, if there are any.

use std::sync::Arc;

use relay_core::account::Account;
use relay_core::clock::Timestamp;
use relay_core::event::Event;
use relay_core::health::{HostFault, Noted};
use relay_core::id::CallId;
use relay_core::model::ModelFamily;
use relay_upstream::fault::Fault;

use crate::app::App;
use crate::randomness::random;
use crate::roster::{Member, Met, Probe};
use crate::verbs::moment::rfc3339;

/// A fault in doubt. Dropping it means that nobody will know: no account rests for it.
#[must_use = "a fault is the account's, or the call's"]
pub(super) struct Doubt {
    state: Option<Held>,
}

struct Held {
    app: Arc<App>,
    member: Arc<Member>,
    call: CallId,
    family: ModelFamily,
    fault: Fault,
    /// When the request went out.
    sent: Timestamp,
    /// When the fault was met.
    at: Timestamp,
    /// Nobody else tries the account out while it is in doubt.
    _probe: Option<Probe>,
}

impl Doubt {
    /// A fault of a call for `family` that was sent at `sent`.
    pub(super) fn new(
        app: Arc<App>,
        member: Arc<Member>,
        (call, family): (CallId, ModelFamily),
        (fault, sent): (Fault, Timestamp),
        probe: Option<Probe>,
    ) -> Self {
        let at = app.now();
        member.shared.notes.doubt(call, &fault.evidence, &family, at);
        let state = Held { app, member, call, family, fault, sent, at, _probe: probe };
        Self { state: Some(state) }
    }

    /// A fault that says nothing of the account.
    pub(super) const fn none() -> Self {
        Self { state: None }
    }

    /// The account is the cause.
    pub(super) fn confirm(mut self) {
        if let Some(held) = self.state.take() {
            held.member.shared.notes.doubt_is_over(held.call);
            held.confirm();
        }
    }

    /// The call is the cause.
    pub(super) fn withdraw(mut self) {
        if let Some(held) = self.state.take() {
            held.member.shared.notes.doubt_is_over(held.call);
        }
    }
}

impl Drop for Doubt {
    fn drop(&mut self) {
        if let Some(held) = self.state.take() {
            held.member.shared.notes.doubt_stays(held.call, held.app.now());
        }
    }
}

impl Held {
    /// The account rests, and its host if others met the same. That may be known long after the
    /// fault was met: it counts for its own moment.
    fn confirm(self) {
        let (app, account, now) = (&self.app, self.member.account.id, self.app.now());
        let (evidence, family, at) = (&self.fault.evidence, &self.family, self.at);
        let [jitter] = random();
        let noted = self.member.shared.notes.fault(Met { evidence, family, at }, now, jitter);
        if let Some(noted) = noted {
            self.log(&noted, now);
            if noted.is_new {
                let (until, cause) = (noted.rest.until, noted.rest.cause);
                app.outbox.emit(Event::AccountRested { account, until, cause }, now);
            }
        }
        let fault = HostFault { account, call: self.call, family, evidence, at };
        let concerned = concerns_host(&self.member.account, &self.fault);
        let host = concerned.then(|| self.member.host.fault(fault, now, jitter)).flatten();
        if let Some(Noted { rest, is_new: true }) = host {
            let name = self.member.host.name.clone();
            tracing::warn!(
                host = name,
                model_family = %self.family,
                "the host {name} rests until {}: several accounts met the same there: {}",
                rfc3339(rest.until),
                rest.cause,
            );
            let event = Event::HostRested { host: name, until: rest.until, cause: rest.cause };
            app.outbox.emit(event, now);
        }
    }

    /// Tells in words why the account rests and until when.
    fn log(&self, noted: &Noted, now: Timestamp) {
        let rest = noted.rest;
        tracing::warn!(
            call = %self.call,
            account = %self.member.account.name,
            model_family = %self.family,
            fault = self.fault.word,
            status = self.fault.status,
            rests_ms = u64::try_from(rest.until.since(now).as_millis()).unwrap_or(u64::MAX),
            stated = rest.stated,
            sent_ms_ago = u64::try_from(now.since(self.sent).as_millis()).unwrap_or(u64::MAX),
            "{} rests until {}: {}",
            self.member.account.name,
            rfc3339(rest.until),
            rest.cause,
        );
    }
}

/// Whether a fault may be the host's. What comes to no answer through an account's own proxy may
/// as well be the proxy's.
fn concerns_host(account: &Account, fault: &Fault) -> bool {
    let is_of_the_way =
        fault.is_of_the_way() || (account.proxy.is_some() && fault.status.is_none());
    !is_of_the_way
}
