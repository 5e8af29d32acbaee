//! `crs demo`: a relay with a simulated provider, sample accounts and keys and a week of usage.
//!
//! All of it is in this one process, and on loopback addresses alone: the relay itself is the one
//! that `crs serve` runs, and only what stands behind its accounts is made up.

mod guide;
mod history;
mod people;
mod place;
mod provider;
mod random;
mod sample;
mod trickle;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use relay_core::secret::Secret;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::place::Place;
use self::provider::Provider;
use self::sample::Sample;
use crate::app::App;
use crate::config::{Layers, Loaded, Settings};
use crate::serve::{self, News, Opened};
use crate::shutdown::{Shutdown, Stage};

pub use self::guide::{Administrator, Guide};

/// The port that the demo takes if nobody else has it.
const PORT: u16 = 3_000;

/// How long open calls may go on after the first signal: simulated answers are short.
const GRACE: Duration = Duration::from_secs(2);

/// What counts of the environment. Nothing else does, and no file: the variables of a real relay
/// (`DATA_DIR`, `ENCRYPTION_KEY`, `ADMIN_PASSWORD`, …) may well stand there, and a demo must
/// neither write into its data nor be opened by its secrets.
const VARIABLES: [&str; 5] =
    ["LOG_LEVEL", "LOG_FORMAT", "LOG_MAX_SIZE", "LOG_MAX_FILES", "TIMEZONE"];

/// How a demo is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The port to listen on; without one, 3000 or else a free one.
    pub port: Option<u16>,
    /// The data directory, which then stays; without one, a new one that is removed at the end.
    pub data_dir: Option<PathBuf>,
    /// Whether sample people call.
    pub pace: Pace,
    /// The environment, of which little counts.
    pub environment: Vec<(String, String)>,
}

/// Whether sample people call while the demo runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// One about every second.
    #[default]
    Lively,
    /// Nobody does.
    Quiet,
}

/// Everything that stands before the first call.
struct Prepared {
    opened: Opened,
    listener: TcpListener,
    provider: Provider,
    sample: Sample,
    administrator: Option<Administrator>,
}

/// Runs the demo until a signal. `show` is given what there is to try once all of it works.
pub async fn run(options: Options, show: impl FnOnce(&Guide)) -> anyhow::Result<()> {
    let begun = Instant::now();
    // Before there is anything to be removed.
    let mut signals = Signals::listen().context("cannot listen to signals")?;
    // Goes last, when nothing writes into it any more.
    let place = Place::take(options.data_dir.as_deref())?;
    let prepared = tokio::select! {
        prepared = prepare(&options, &place) => prepared?,
        () = signals.next() => return Ok(()),
    };
    let Prepared { opened, listener, provider, sample, administrator } = prepared;
    let guide = Guide {
        address: format!("http://{}", listener.local_addr()?),
        provider: provider.base_url(),
        data_dir: place.path().to_owned(),
        is_kept: place.is_kept(),
        administrator,
        keys: sample.keys(),
        calls: sample.calls,
        reads_foreign_key: is_set(&options.environment, "ENCRYPTION_KEY"),
    };
    let ready = |app: &Arc<App>, address: SocketAddr| {
        show(&guide);
        tokio::spawn(end_at(signals, app.shutdown.clone()));
        if options.pace == Pace::Lively {
            tokio::spawn(trickle::run(app.shutdown.clone(), address, sample));
        }
    };
    opened.serve(listener, begun, ready).await
}

async fn prepare(options: &Options, place: &Place) -> anyhow::Result<Prepared> {
    let before = place.provider();
    let provider = Provider::start(before).await.context("cannot start the simulated provider")?;
    if before.is_none() {
        // At once, so that a start that is broken off leaves nothing that passes for a relay's.
        place.mark(&provider.base_url())?;
    }
    let mut administrator = None;
    let opened = serve::open(settings(options, place)?, |news| {
        // A copy of the master key, which a relay asks for, is of no use for sample data.
        if let News::Administrator { username, password } = news {
            let password = password.map_or_else(|| Secret::new(""), Clone::clone);
            administrator = Some(Administrator { username: username.to_owned(), password });
        }
    })
    .await?;
    let sample = sample::fill(&opened, before, &provider.base_url()).await.with_context(|| {
        format!("the sample data in {place} cannot be used; take another directory")
    })?;
    // Not before: another demo may have the directory, and its accounts are led by this mark.
    place.mark(&provider.base_url())?;
    let listener = match options.port {
        Some(port) => opened.listen(port)?,
        None => opened.listen(PORT).or_else(|_| opened.listen(0))?,
    };
    Ok(Prepared { opened, listener, provider, sample, administrator })
}

/// The settings: those of a relay that nobody has set anything of, on loopback.
fn settings(options: &Options, place: &Place) -> anyhow::Result<Loaded> {
    let dir = place.path().to_str().context("the path of the data directory is not UTF-8")?;
    let mut layers = Layers::default();
    for (name, value) in &options.environment {
        if VARIABLES.contains(&name.as_str()) {
            layers.add(name, value.clone(), crate::config::Origin::Environment);
        }
    }
    let own = [
        ("HOST", "127.0.0.1".to_owned()),
        ("DATA_DIR", dir.to_owned()),
        // The console shows what to try. Calls would push it away, faults and rests are the show.
        ("LOG_LEVEL", "warn".to_owned()),
        ("SHUTDOWN_GRACE", GRACE.as_secs().to_string()),
    ];
    for (name, value) in own {
        layers.add(name, value, crate::config::Origin::Flag);
    }
    Ok(Settings::load(layers)?)
}

fn is_set(environment: &[(String, String)], name: &str) -> bool {
    environment.iter().any(|(known, value)| known == name && !value.is_empty())
}

/// The signals that end the demo: those that a terminal sends when it is closed, and by Ctrl-\, as
/// well, since its data has to go. The relay listens to the other two itself while it serves; one
/// that comes before that would be lost.
struct Signals([Signal; 4]);

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        let (hangup, quit) = (SignalKind::hangup(), SignalKind::quit());
        Ok(Self([signal(terminate)?, signal(interrupt)?, signal(hangup)?, signal(quit)?]))
    }

    async fn next(&mut self) {
        let Self([terminate, interrupt, hangup, quit]) = self;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
            _ = quit.recv() => {}
        }
    }
}

/// Stops the relay at a signal, also at one that came before it listened.
async fn end_at(mut signals: Signals, shutdown: Shutdown) {
    signals.next().await;
    shutdown.advance(Stage::Draining);
    tokio::select! {
        () = shutdown.until_no_call_is_open() => {}
        () = tokio::time::sleep(GRACE) => {}
    }
    shutdown.advance(Stage::Ending);
}
