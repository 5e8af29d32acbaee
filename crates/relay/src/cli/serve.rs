//! `crs serve`: runs the relay.

use std::process::ExitCode;

use clap::Args;

use crate::cli::Global;
use crate::cli::context;

/// Flags of `crs serve`; the other settings are read from the environment and crs.toml.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Address to listen on [default: HOST, else 0.0.0.0]
    #[arg(long)]
    host: Option<String>,
    /// Port to listen on, 0 for a free one [default: PORT, else 3000]
    #[arg(long)]
    port: Option<u16>,
}

impl Serve {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let host = self.host.map(|host| ("HOST", host));
        let port = self.port.map(|port| ("PORT", port.to_string()));
        let loaded = context::load_to_serve(global, host.into_iter().chain(port))?;
        crate::serve::run(loaded).await?;
        Ok(ExitCode::SUCCESS)
    }
}
