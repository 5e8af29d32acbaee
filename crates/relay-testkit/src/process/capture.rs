//! What a process says, kept in memory as it comes.

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

/// One output of a process.
#[derive(Debug)]
pub(super) struct Capture {
    said: watch::Receiver<Vec<u8>>,
}

impl Capture {
    /// Reads `output` in the background until it is closed.
    pub(super) fn of(mut output: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let (sender, said) = watch::channel(Vec::new());
        tokio::spawn(async move {
            let mut part = vec![0; 8 * 1024];
            while let Ok(read @ 1..) = output.read(&mut part).await {
                sender.send_modify(|said| said.extend_from_slice(&part[..read]));
            }
        });
        Self { said }
    }

    /// All of it until now.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.said.borrow()).into_owned()
    }

    /// Waits for `text`; false if the output was closed without it.
    pub(super) async fn wait_for(&self, text: &str) -> bool {
        let holds = |said: &Vec<u8>| memchr::memmem::find(said, text.as_bytes()).is_some();
        self.said.clone().wait_for(holds).await.is_ok()
    }

    /// Waits for a whole line with `HOST:PORT` after `prefix`; `None` if the output was closed
    /// without one.
    pub(super) async fn port_after(&self, prefix: &str) -> Option<u16> {
        let mut said = self.said.clone();
        let said = said.wait_for(|said| port_in(said, prefix).is_some()).await.ok()?;
        port_in(&said, prefix)
    }

    /// Waits for a whole line with `text`; `None` if the output was closed without one.
    pub(super) async fn line_with(&self, text: &str) -> Option<String> {
        let mut said = self.said.clone();
        let said = said.wait_for(|said| line_in(said, text).is_some()).await.ok()?;
        line_in(&said, text)
    }

    /// Waits until the output was closed and read to its end.
    pub(super) async fn until_closed(&self) {
        let mut said = self.said.clone();
        while said.changed().await.is_ok() {}
    }
}

fn line_in(said: &[u8], text: &str) -> Option<String> {
    let said = String::from_utf8_lossy(said);
    let mut lines = said.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    lines.find(|line| line.contains(text)).map(str::to_owned)
}

fn port_in(said: &[u8], prefix: &str) -> Option<u16> {
    let text = String::from_utf8_lossy(said);
    let (_, address) = text.split_once(prefix)?;
    let (_, port) = address.split_once(':')?;
    // Something must follow the digits, or there may be more of them to come.
    let end = port.find(|character: char| !character.is_ascii_digit())?;
    port[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_read_once_it_is_complete() {
        let port = |said: &str| port_in(said.as_bytes(), "listening on http://");
        assert_eq!(port("x\nlistening on http://127.0.0.1:43"), None);
        assert_eq!(port("x\nlistening on http://127.0.0.1:4321\n"), Some(4321));
        assert_eq!(port("listening on http://127.0.0.1:4321 (3 accounts)"), Some(4321));
    }
}
