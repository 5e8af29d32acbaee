//! The issuer of tokens behind the sign-in: what it is asked, over its books.

mod access;
mod book;
mod browser;
mod form;
mod gate;
mod identity;
mod seen;
mod token;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::log::SeenRequest;
use super::time::TimeSource;
use crate::answer::Answer;
pub(super) use book::{Book, RefreshScript};
pub(super) use browser::Authorization;
use gate::Gate;
pub use gate::RefreshGate;
pub(super) use gate::Side;
pub use identity::Realm;
pub use seen::{IssuedTokens, RefreshOutcome, RefreshSeen};
pub(super) use token::Ticket;

/// An issuer; it takes no part in anything until a test asks something of it.
#[derive(Debug, Default)]
pub(super) struct Issuer {
    active: AtomicBool,
    book: Mutex<Book>,
    changed: watch::Sender<()>,
    gate: Mutex<Option<Arc<Gate>>>,
    delay: Mutex<Duration>,
}

impl Issuer {
    /// From now on tokens are issued, and looked at.
    pub(super) fn activate(&self) {
        self.active.store(true, Ordering::Release);
    }

    /// Does something with the books, and lets those who wait for it look again.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Book) -> T) -> T {
        let done = act(&mut self.book.lock());
        self.changed.send_replace(());
        done
    }

    /// Returns when the books are as wanted.
    pub(super) async fn wait_for(&self, mut fits: impl FnMut(&Book) -> bool) {
        let mut changed = self.changed.subscribe();
        while !fits(&self.book.lock()) {
            changed.changed().await.expect("the issuer holds the sender");
        }
    }

    /// Holds refreshes from now on, until what is returned is released.
    pub(super) fn holds(&self, side: Side) -> RefreshGate {
        let (gate, guard) = Gate::shut(side);
        *self.gate.lock() = Some(gate);
        guard
    }

    /// Refreshes are answered so much later than they are decided.
    pub(super) fn set_delay(&self, delay: Duration) {
        *self.delay.lock() = delay;
    }

    /// Forgets what refreshes were to suffer; logins and tokens stay.
    pub(super) fn recover(&self) {
        self.set_delay(Duration::ZERO);
        self.with(Book::recover);
    }

    /// Whose issued token this request carries; empty if it carries none.
    pub(super) fn owner_of(&self, seen: &SeenRequest) -> String {
        let owner = |token| self.book.lock().owner_of_access(token).map(str::to_owned);
        seen.bearer().and_then(owner).unwrap_or_default()
    }

    /// What the issuer answers to this request, if it is for it to answer; a refresh comes with
    /// a ticket, on which the fate of the answer is to be written. `left` ends when the peer goes.
    pub(super) async fn answer(
        &self,
        seen: &SeenRequest,
        time: &TimeSource,
        left: impl Future<Output = ()>,
    ) -> Option<(Answer, Option<Ticket<'_>>)> {
        if !self.active.load(Ordering::Acquire) {
            return None;
        }
        if seen.method == "POST"
            && let Some(realm) = Realm::of_path(seen.path())
        {
            return Some(self.token((realm, seen), time, left).await);
        }
        let answer = self.with(|book| access::answer(book, seen, time.now()));
        answer.map(|answer| (answer, None))
    }
}
