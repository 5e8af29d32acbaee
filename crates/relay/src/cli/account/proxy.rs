//! The proxy of an account. It may hold a password, so it can come by other ways than an argument,
//! and no message repeats it.

use std::env;
use std::path::PathBuf;

use clap::Args;
use relay_core::proxy::{Proxy, ProxyError};
use relay_core::secret::Secret;

use crate::cli::{Misuse, secret};

/// The variable that `account add` looks at.
const VARIABLE: &str = "CRS_PROXY";

/// Where the proxy of an account comes from.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct ProxySource {
    /// Reach it through this proxy alone: http://, https://, socks5:// or socks5h://. Others on
    /// this machine can see an argument: give a password by --proxy-file or --proxy-env
    #[arg(long, value_name = "URL", value_parser = hidden)]
    proxy: Option<Secret>,
    /// Read the proxy's URL from a file
    #[arg(long, value_name = "FILE")]
    proxy_file: Option<PathBuf>,
    /// Read the proxy's URL from this environment variable; add looks at CRS_PROXY by itself
    #[arg(long, value_name = "NAME")]
    proxy_env: Option<String>,
}

/// The way out of an account.
#[derive(Debug)]
pub(super) enum Way {
    /// Without a proxy: the empty text says so.
    Direct,
    /// Through this proxy.
    Through(Proxy),
}

impl Way {
    /// The proxy, if there is one.
    pub(super) fn proxy(self) -> Option<Proxy> {
        match self {
            Self::Direct => None,
            Self::Through(proxy) => Some(proxy),
        }
    }
}

impl ProxySource {
    /// The way that is named, if one is.
    pub(super) fn read(&self) -> anyhow::Result<Option<Way>> {
        let text = match (&self.proxy, &self.proxy_file, &self.proxy_env) {
            (Some(url), ..) => url.clone(),
            (None, Some(path), _) => secret::from_file(path)?,
            (None, None, Some(name)) => secret::from_variable(name)?,
            (None, None, None) => return Ok(None),
        };
        parsed(&text).map(Some)
    }

    /// The way of an account that is added; without a flag, what the usual variable names.
    pub(super) fn read_or_usual(&self) -> anyhow::Result<Way> {
        match self.read()? {
            Some(way) => Ok(way),
            None if env::var_os(VARIABLE).is_some() => parsed(&secret::from_variable(VARIABLE)?),
            None => Ok(Way::Direct),
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "clap calls it so")]
fn hidden(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

fn parsed(text: &Secret) -> anyhow::Result<Way> {
    let text = text.expose().trim();
    if text.is_empty() {
        return Ok(Way::Direct);
    }
    text.parse().map(Way::Through).map_err(|error: ProxyError| Misuse(error.to_string()).into())
}
