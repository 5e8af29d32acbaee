//! Bytes from one end to the other, as they come.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::http1::Inbound;

/// Passes on what comes until it ends, and then says so at the other end.
pub(super) async fn pump(
    from: &mut Inbound<impl AsyncRead + Unpin>,
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    loop {
        let bytes = from.some().await?;
        if bytes.is_empty() {
            return to.shutdown().await;
        }
        to.write_all(&bytes).await?;
    }
}
