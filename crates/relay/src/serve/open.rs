//! The first half of a start: the data directory, its database, the logs, the first administrator.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use relay_core::clock::{Clock, SystemClock};
use relay_core::secret::Secret;
use relay_store::data_dir::{DataDir, DirLock};
use relay_store::pool::Store;
use relay_store::vault::{KeyOrigin, MasterKey};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::app::App;
use crate::config::{Loaded, Settings};
use crate::metrics::{self, Exposition};
use crate::telemetry::LogGuards;
use crate::verbs::admin::{FirstAdmin, PasswordOrigin, ensure_first_admin};
use crate::{server, telemetry};

/// What a start does that the person in front of it has to know, as the logs do not say it.
#[derive(Debug, Clone, Copy)]
pub enum News<'a> {
    /// A master key was made, and stands in this file.
    MasterKey(&'a Path),
    /// The first administrator was made.
    Administrator {
        /// The name to sign in with.
        username: &'a str,
        /// The password; `None` if whoever started it gave it.
        password: Option<&'a Secret>,
    },
}

/// A data directory of which this process is the one server, before it serves.
#[derive(Debug)]
pub struct Opened {
    /// What was set.
    pub settings: Settings,
    /// The data directory.
    pub dir: DataDir,
    /// Its records.
    pub store: Store,
    /// The present.
    pub clock: Arc<dyn Clock>,
    // These two go last: nobody else may have the directory before the last line is written.
    logs: LogGuards,
    _lock: DirLock,
}

/// Opens the data directory, and begins to log. Tells its news before anything else can fail.
pub async fn open(loaded: Loaded, mut tell: impl FnMut(News<'_>)) -> anyhow::Result<Opened> {
    let Loaded { settings, warnings } = loaded;
    let dir = DataDir::create(&settings.data_dir)?;
    let mut lock: DirLock = dir.lock()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = open_store(&settings, &dir, clock.as_ref(), &mut tell).await?;
    lock.sign();
    let logs = telemetry::start(&settings.log, &dir.logs()).context("cannot write logs")?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    if dir.is_open_to_others().unwrap_or(false) {
        tracing::warn!(dir = %dir.root().display(), "others may look into the data directory");
    }
    first_admin(&settings, &dir, &store, (clock.as_ref(), &mut tell)).await?;
    Ok(Opened { settings, dir, store, clock, logs, _lock: lock })
}

impl Opened {
    /// Listens at the host that was set.
    pub fn listen(&self, port: u16) -> anyhow::Result<TcpListener> {
        let host = self.settings.host;
        server::listen(SocketAddr::new(host, port))
            .with_context(|| format!("cannot listen on {host}:{port}"))
    }

    /// Serves until a signal, and calls `ready` once calls, signals and commands are listened to.
    pub async fn serve(
        self,
        listener: TcpListener,
        begun: Instant,
        ready: impl FnOnce(&Arc<App>, SocketAddr),
    ) -> anyhow::Result<()> {
        // What is bound last is dropped first: the last line is written before another server may
        // have the directory.
        let Self { settings, dir, store, clock, _lock, logs } = self;
        let readers = settings.metrics_listen.map(metrics::listen).transpose()?;
        let started = super::start(settings, &dir, store, clock).await?;
        started.app.desk.note_log(logs.dropped_lines());
        // Ends with what it stands beside.
        let mut beside = JoinSet::new();
        if let Some(readers) = readers {
            let exposition = Exposition::new(Arc::clone(&started.app), logs.dropped_lines());
            beside.spawn(metrics::serve(readers, exposition));
        }
        super::serve(started, listener, (&dir, begun), ready).await
    }
}

async fn open_store(
    settings: &Settings,
    dir: &DataDir,
    clock: &dyn Clock,
    tell: &mut impl FnMut(News<'_>),
) -> anyhow::Result<Store> {
    let exists = dir.database().exists();
    let (master, origin) = MasterKey::load(dir, settings.encryption_key.as_ref(), exists)?;
    let store = Store::open(&dir.database(), &master, clock.now()).await?;
    if origin == KeyOrigin::Generated {
        tell(News::MasterKey(&dir.master_key()));
    }
    Ok(store)
}

/// The password of the first administrator goes to the person alone, never to a log.
async fn first_admin(
    settings: &Settings,
    dir: &DataDir,
    store: &Store,
    (clock, tell): (&dyn Clock, &mut impl FnMut(News<'_>)),
) -> anyhow::Result<()> {
    let (username, password) = (settings.admin_username.clone(), settings.admin_password.clone());
    let given = username.is_some() || password.is_some();
    match ensure_first_admin(store, dir, username, password, clock.now()).await? {
        FirstAdmin::Created { username, password, origin } => {
            let password = match origin {
                PasswordOrigin::Given => None,
                PasswordOrigin::Generated | PasswordOrigin::InitFile => Some(&password),
            };
            tell(News::Administrator { username: &username, password });
        }
        FirstAdmin::Existing if given => {
            tracing::warn!("ADMIN_USERNAME and ADMIN_PASSWORD count at the first start only");
        }
        FirstAdmin::Existing => {}
    }
    Ok(())
}
