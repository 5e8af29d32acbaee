//! What a proxy was asked, and how many of what there are.

use parking_lot::Mutex;
use tokio::sync::watch;

/// Totals that tests wait for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) connections: usize,
    pub(super) open: usize,
    pub(super) logins_refused: usize,
    /// It is to end.
    dying: bool,
    /// It has ended: its port is closed, its connections are reset.
    pub(super) gone: bool,
}

#[derive(Debug, Default)]
pub(super) struct Log {
    targets: Mutex<Vec<String>>,
    counts: watch::Sender<Counts>,
}

impl Log {
    pub(super) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    pub(super) fn targets(&self) -> Vec<String> {
        self.targets.lock().clone()
    }

    pub(super) fn connected(&self) {
        self.counts.send_modify(|counts| counts.connections += 1);
    }

    pub(super) fn login_refused(&self) {
        self.counts.send_modify(|counts| counts.logins_refused += 1);
    }

    pub(super) fn asked_for(&self, target: String) {
        self.targets.lock().push(target);
    }

    /// Notes a tunnel; it is open until what is returned is dropped.
    pub(super) fn opened(&self) -> Open<'_> {
        self.counts.send_modify(|counts| counts.open += 1);
        Open(self)
    }

    pub(super) fn die(&self) {
        self.counts.send_modify(|counts| counts.dying = true);
    }

    pub(super) fn died(&self) {
        self.counts.send_modify(|counts| counts.gone = true);
    }

    pub(super) async fn until_dying(&self) {
        self.wait_for(|counts| counts.dying).await;
    }

    pub(super) async fn wait_for(&self, fits: impl FnMut(&Counts) -> bool) {
        let mut counts = self.counts.subscribe();
        counts.wait_for(fits).await.expect("the log holds the sender");
    }
}

/// A tunnel that is open.
#[derive(Debug)]
pub(super) struct Open<'a>(&'a Log);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.counts.send_modify(|counts| counts.open -= 1);
    }
}
