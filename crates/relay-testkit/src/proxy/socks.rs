//! The SOCKS 5 proxy (RFC 1928), with user and password (RFC 1929).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::tunnel::pump;
use super::{Manner, State, target};
use crate::http1::{BodyEnd, Inbound};

const VERSION: u8 = 5;
const LOGIN_VERSION: u8 = 1;
const CONNECT: u8 = 1;

/// How a client may show who it is.
mod method {
    pub(super) const NONE: u8 = 0;
    pub(super) const PASSWORD: u8 = 2;
    pub(super) const NO_GOOD_ONE: u8 = 0xFF;
}

/// What a request is answered with.
mod reply {
    pub(super) const DONE: u8 = 0;
    pub(super) const GENERAL_FAILURE: u8 = 1;
    pub(super) const HOST_UNREACHABLE: u8 = 4;
    pub(super) const REFUSED: u8 = 5;
    pub(super) const UNKNOWN_COMMAND: u8 = 7;
}

pub(super) async fn converse<R: AsyncRead + Unpin>(
    inbound: &mut Inbound<R>,
    writer: &mut (impl AsyncWrite + Unpin),
    state: &State,
    manner: Manner,
) -> io::Result<()> {
    if !greet(inbound, writer, state).await? {
        state.log.login_refused();
        writer.shutdown().await?;
        inbound.peer_left().await;
        return Ok(());
    }
    let (command, host, port) = request(inbound).await?;
    state.log.asked_for(target(&host, port));
    let reached = match (command, manner) {
        (CONNECT, Manner::Refuses(_)) => Err(reply::GENERAL_FAILURE),
        (CONNECT, _) => match state.reach(&host, port).await {
            Some(Ok(upstream)) => Ok(upstream),
            Some(Err(_)) => Err(reply::REFUSED),
            None => Err(reply::HOST_UNREACHABLE),
        },
        _ => Err(reply::UNKNOWN_COMMAND),
    };
    let code = reached.as_ref().err().copied().unwrap_or(reply::DONE);
    let _open = reached.is_ok().then(|| state.log.opened());
    // The address that it went out from is of no use to anybody.
    writer.write_all(&[VERSION, code, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    let Ok(mut upstream) = reached else {
        writer.shutdown().await?;
        inbound.peer_left().await;
        return Ok(());
    };
    let (from, mut to) = upstream.split();
    let mut from = Inbound::new(from);
    tokio::try_join!(pump(inbound, &mut to), pump(&mut from, writer))?;
    Ok(())
}

/// Agrees on who the client is; false if it is nobody who may come.
async fn greet<R: AsyncRead + Unpin>(
    inbound: &mut Inbound<R>,
    writer: &mut (impl AsyncWrite + Unpin),
    state: &State,
) -> io::Result<bool> {
    expect(inbound, VERSION).await?;
    let count = byte(inbound).await?;
    let offered = take(inbound, u64::from(count)).await?;
    let login = state.login.lock().clone();
    let wanted = if login.is_some() { method::PASSWORD } else { method::NONE };
    if !offered.contains(&wanted) {
        writer.write_all(&[VERSION, method::NO_GOOD_ONE]).await?;
        return Ok(false);
    }
    writer.write_all(&[VERSION, wanted]).await?;
    let Some(login) = login else { return Ok(true) };
    expect(inbound, LOGIN_VERSION).await?;
    let user = text(inbound).await?;
    let password = text(inbound).await?;
    let good = user == login.user && password == login.password;
    writer.write_all(&[LOGIN_VERSION, u8::from(!good)]).await?;
    Ok(good)
}

/// The command, the host and the port of a request.
async fn request<R: AsyncRead + Unpin>(inbound: &mut Inbound<R>) -> io::Result<(u8, String, u16)> {
    expect(inbound, VERSION).await?;
    let command = byte(inbound).await?;
    expect(inbound, 0).await?;
    let host = match byte(inbound).await? {
        1 => Ipv4Addr::from_bits(take(inbound, 4).await?.get_u32()).to_string(),
        3 => text(inbound).await?,
        4 => Ipv6Addr::from_bits(take(inbound, 16).await?.get_u128()).to_string(),
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    let port = take(inbound, 2).await?.get_u16();
    Ok((command, host, port))
}

async fn take<R: AsyncRead + Unpin>(inbound: &mut Inbound<R>, count: u64) -> io::Result<Bytes> {
    inbound.body(BodyEnd::Length(count)).await
}

async fn byte<R: AsyncRead + Unpin>(inbound: &mut Inbound<R>) -> io::Result<u8> {
    Ok(take(inbound, 1).await?.get_u8())
}

async fn expect<R: AsyncRead + Unpin>(inbound: &mut Inbound<R>, wanted: u8) -> io::Result<()> {
    if byte(inbound).await? == wanted { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// A text after its length in one byte.
async fn text<R: AsyncRead + Unpin>(inbound: &mut Inbound<R>) -> io::Result<String> {
    let length = byte(inbound).await?;
    Ok(String::from_utf8_lossy(&take(inbound, u64::from(length)).await?).into_owned())
}
