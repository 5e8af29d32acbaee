//! Everything that calls share, in one plain struct.

use std::fmt;
use std::sync::{Arc, Once};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use relay_core::clock::{Clock, Timestamp};
use relay_core::event::Event;
use relay_core::health::RestCause;
use relay_core::id::CallId;
use relay_core::price::PriceList;
use relay_core::quota::{Window, WindowKind};
use relay_core::retry::RetryBudget;
use relay_store::credential_log::CredentialLog;
use relay_store::journal::{Durability, Journal, Position};
use relay_store::pins::Pins;
use relay_store::pool::Store;
use tokio::sync::RwLock;

use crate::admin::Desk;
use crate::body::BodyMemory;
use crate::bookkeeping::Bookkeeping;
use crate::call::Orphanage;
use crate::config::Settings;
use crate::day::Calendar;
use crate::expectation::Caches;
use crate::guesses::Guesses;
use crate::ingress::{Counting, Sockets};
use crate::keyring::Keyring;
use crate::metrics::Metrics;
use crate::models::Catalogue;
use crate::open_calls::OpenCalls;
use crate::outbox::Outbox;
use crate::randomness::Randomness;
use crate::refusals::Refusals;
use crate::roster::{Member, Roster};
use crate::shutdown::Shutdown;
use crate::watch::Edits;

/// What the program knows and shares while it serves.
pub struct App {
    /// What was set.
    pub settings: Settings,
    /// The present, for everything that is stored or decided.
    pub clock: Arc<dyn Clock>,
    /// The database.
    pub store: Store,
    /// Usage on its way to the database.
    pub journal: Journal,
    /// Accounts.
    pub roster: Roster,
    /// Keys.
    pub keys: Keyring,
    /// Which account serves which conversation.
    pub pins: Pins,
    /// What tokens cost.
    pub prices: ArcSwap<PriceList>,
    /// What accounts say they have.
    pub models: Catalogue,
    /// What conversations have in their providers' caches.
    pub caches: Caches,
    /// The sockets that keys have open.
    pub sockets: Sockets,
    /// How often keys count tokens.
    pub counting: Counting,
    /// Refreshes of tokens, as they stand on disk before the database has them.
    pub credentials: CredentialLog,
    /// Read by everything that has to come to its end before the program stops.
    pub unfinished: RwLock<()>,
    /// The days of the relay's time zone.
    pub calendar: Calendar,
    /// Random bytes, for ids.
    pub randomness: Randomness,
    /// Extra attempts of the last minute.
    pub retries: Mutex<RetryBudget>,
    /// The memory of request bodies.
    pub bodies: BodyMemory,
    /// Room for calls whose clients left.
    pub orphanage: Orphanage,
    /// The calls that are open now.
    pub open_calls: OpenCalls,
    /// Warns once of forwarded addresses that are not believed.
    pub stranger_warning: Once,
    /// Addresses that guess keys.
    pub guesses: Guesses,
    /// Refused calls, counted.
    pub refusals: Refusals,
    /// Events on their way to the database.
    pub outbox: Outbox,
    /// What is counted for a system that watches.
    pub metrics: Arc<Metrics>,
    /// Whether the database keeps up.
    pub bookkeeping: Bookkeeping,
    /// Whether and how the program is stopping.
    pub shutdown: Shutdown,
    /// How far edits in the database are known.
    pub edits: Edits,
    /// What the admin API remembers.
    pub desk: Desk,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

impl App {
    /// The present.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether a call may make its attempt with this number, from 1: extra ones have a budget.
    pub fn may_try(&self, number: usize) -> bool {
        let (mut retries, now) = (self.retries.lock(), self.now());
        if number > 1 {
            return retries.take_extra(now);
        }
        retries.call(now);
        true
    }

    /// Takes note of the quota windows that a provider tells of.
    pub fn note_windows(&self, member: &Member, told: Vec<(WindowKind, Window)>, now: Timestamp) {
        for stopped in member.shared.notes.windows(told, member.account.stop_at, now) {
            let (account, until, cause) = (member.account.id, stopped.until, RestCause::WindowMark);
            tracing::warn!(account = %member.account.name, window = %stopped.window, "an account rests: the operator's mark is reached");
            self.outbox.emit(Event::AccountRested { account, until, cause }, now);
        }
    }

    /// Whether the end of an answer waits until its record has reached the disk.
    pub fn waits_for_disk(&self) -> bool {
        self.settings.durability == Durability::Fsync
    }

    /// Waits until a record is as durable as was asked for.
    pub async fn until_durable(&self, position: Position) {
        if let Err(error) = self.journal.durable(position).await {
            tracing::error!(%error, "a record may not survive a power cut");
        }
    }

    /// A new call's id.
    pub fn new_call_id(&self, now: Timestamp) -> CallId {
        CallId::new(now, self.randomness.bytes())
    }
}
