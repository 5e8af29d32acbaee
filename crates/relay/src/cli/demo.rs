//! `crs demo`: a relay to look at.

use std::process::ExitCode;

use clap::Args;

use crate::cli::{Global, owner};
use crate::demo::{self, Guide, Options, Pace};

/// Flags of `crs demo`. Without --data-dir its data is in a new directory and goes with it; the
/// settings of a real relay are not read.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Port to listen on, 0 for a free one [default: 3000, else a free one]
    #[arg(long)]
    port: Option<u16>,
    /// Let no sample people call
    #[arg(long)]
    quiet: bool,
}

impl Demo {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        if let Some(dir) = global.data_dir.as_deref().filter(|dir| dir.exists()) {
            owner::become_owner(global, dir)?;
        }
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let options = Options {
            port: self.port,
            data_dir: global.data_dir.clone(),
            pace: if self.quiet { Pace::Quiet } else { Pace::Lively },
            environment: std::env::vars_os().filter_map(text).collect(),
        };
        let form = global.form();
        let show = |guide: &Guide| {
            let shown = form.answer(&guide.view(), |_| guide.text(&program()));
            if let Err(error) = shown {
                tracing::warn!(%error, "what there is to try could not be printed");
            }
        };
        demo::run(options, show).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// This program as it was started, for lines to paste.
fn program() -> String {
    let name = std::env::args_os().next().and_then(|name| name.into_string().ok());
    name.unwrap_or_else(|| "crs".to_owned())
}
