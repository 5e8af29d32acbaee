//! What commands on a data directory work with.

use std::env;
use std::path::Path;

use anyhow::Context as _;
use relay_core::clock::{Clock, SystemClock, Timestamp};
use relay_store::Store;
use relay_store::data_dir::{DataDir, DataDirError};
use relay_store::vault::MasterKey;

use crate::cli::terminal::Form;
use crate::cli::{Global, owner};
use crate::config::{INSTALLED, Installed, Layers, Loaded, Settings, Unnamed};
use crate::live::{self, LiveState};
use crate::verbs::moment;

/// An open data directory, and how to answer.
#[derive(Debug)]
pub(super) struct Context {
    /// What is set.
    pub(super) settings: Settings,
    /// The data directory.
    pub(super) dir: DataDir,
    /// Its records.
    pub(super) store: Store,
    /// When the command began.
    pub(super) now: Timestamp,
    /// How to answer.
    pub(super) form: Form,
}

impl Context {
    /// Opens the data directory that the flags and settings name, if there is one.
    pub(super) async fn open(global: &Global) -> anyhow::Result<Self> {
        let settings = load(global, [])?.settings;
        let dir = match DataDir::open(&settings.data_dir) {
            Err(missing @ DataDirError::Missing(_)) => anyhow::bail!(
                "{missing}: start the relay with `crs serve` first, or say where it keeps its \
                 data with --data-dir or DATA_DIR"
            ),
            other => other?,
        };
        owner::become_owner(global, dir.root())?;
        // Asked before the key, which would be made for a directory without a database.
        if !dir.database().exists() {
            anyhow::bail!(
                "{} has no database: start the relay on it with `crs serve` first",
                dir.root().display()
            );
        }
        let (master, _) = MasterKey::load(&dir, settings.encryption_key.as_ref(), true)?;
        let now = SystemClock.now();
        let store = Store::open_existing(&dir.database(), &master, now).await?;
        Ok(Self { settings, dir, store, now, form: global.form() })
    }

    /// What a running server knows; `None` without one.
    pub(super) fn live(&self) -> Option<LiveState> {
        live::ask(&self.dir)
    }

    /// A moment as the operator's clock shows it; nothing if there is none.
    pub(super) fn time(&self, moment: Option<Timestamp>) -> String {
        let text = |moment| moment::in_zone(moment, &self.settings.time_zone);
        moment.map(text).unwrap_or_default()
    }
}

impl Global {
    /// How to answer.
    pub(super) const fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }
}

/// The settings of a command on existing data, with those that flags give.
pub(super) fn load(
    global: &Global,
    flags: impl IntoIterator<Item = (&'static str, String)>,
) -> anyhow::Result<Loaded> {
    Ok(Settings::load(layers(global, flags)?)?)
}

/// The settings of a start, with those that flags give. It makes the data directory that it does
/// not find, so it never takes the installed service's without having been told to.
pub(super) fn load_to_serve(
    global: &Global,
    flags: impl IntoIterator<Item = (&'static str, String)>,
) -> anyhow::Result<Loaded> {
    Ok(Settings::load(gather(global, flags, Unnamed::Here)?)?)
}

/// The raw texts of the settings of a command on existing data, with those that flags give.
pub(super) fn layers(
    global: &Global,
    flags: impl IntoIterator<Item = (&'static str, String)>,
) -> anyhow::Result<Layers> {
    gather(global, flags, Unnamed::Service)
}

fn gather(
    global: &Global,
    flags: impl IntoIterator<Item = (&'static str, String)>,
    unnamed: Unnamed,
) -> anyhow::Result<Layers> {
    let data_dir = global.data_dir.as_deref().map(|path| {
        let text = path.to_str().context("the path of the data directory is not UTF-8")?;
        anyhow::Ok(("DATA_DIR", text.to_owned()))
    });
    let flags = flags.into_iter().chain(data_dir.transpose()?);
    // A variable that is not text is none of this program's.
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let directory = env::current_dir().context("cannot tell the working directory")?;
    let installed = Installed { file: Path::new(INSTALLED), unnamed };
    Ok(Layers::gather(flags, env::vars_os().filter_map(text), &directory, Some(installed)))
}
