//! `crs health`: asks the running relay.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use relay_store::data_dir::DataDir;
use relay_upstream::client::{Client, tls_config};

use crate::cli::{Global, context, terminal};
use crate::live;

/// How long the answer may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;

/// Prints what the relay says of itself; done only if that is 200.
pub(super) async fn run(global: &Global) -> anyhow::Result<ExitCode> {
    let settings = context::load(global, [])?.settings;
    let running = DataDir::open(&settings.data_dir).ok().and_then(|dir| live::ask(&dir)?.address);
    let listening = running.unwrap_or(SocketAddr::new(settings.host, settings.port));
    let address = SocketAddr::new(reachable(listening.ip()), listening.port());
    let answer = tokio::time::timeout(DEADLINE, ask(address)).await;
    let (status, body) =
        answer.with_context(|| format!("{address} did not answer within {DEADLINE:?}"))??;
    // Something else may listen there.
    let health: serde_json::Value = serde_json::from_slice(&body)
        .with_context(|| format!("what answers at {address} is not a relay ({status})"))?;
    terminal::write(&health.to_string())?;
    Ok(if status == StatusCode::OK { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) async fn ask(address: SocketAddr) -> anyhow::Result<(StatusCode, Bytes)> {
    let request = Request::get(format!("http://{address}/health")).body(Full::default())?;
    let client = Client::direct(&tls_config());
    let answer = client.send(request).await.with_context(|| format!("no relay at {address}"))?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body =
        body.map_err(|error| anyhow::anyhow!("the answer of {address} broke off: {error}"))?;
    Ok((status, body.to_bytes()))
}

/// Where a relay that listens on `host` is reached from this machine.
pub(super) const fn reachable(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    }
}
