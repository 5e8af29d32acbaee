//! Where refreshes wait until a test lets them go.

use std::sync::Arc;

use tokio::sync::watch;

use crate::provider::WAIT_MAX;

/// Whether what is held has happened already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::provider) enum Side {
    /// Requests are held: nothing is decided yet.
    Requests,
    /// Answers are held: tokens have rotated.
    Answers,
}

/// Holds refreshes at the provider; they go on when it is released or dropped.
#[derive(Debug)]
pub struct RefreshGate(Arc<Gate>);

#[derive(Debug)]
pub(super) struct Gate {
    side: Side,
    open: watch::Sender<bool>,
    held: watch::Sender<usize>,
}

impl RefreshGate {
    /// Refreshes that it holds now.
    pub fn held(&self) -> usize {
        *self.0.held.borrow()
    }

    /// Waits until it holds so many refreshes.
    pub async fn until_held(&self, count: usize) {
        let mut held = self.0.held.subscribe();
        let waited = tokio::time::timeout(WAIT_MAX, held.wait_for(|held| *held == count)).await;
        assert!(waited.is_ok(), "waited {WAIT_MAX:?} for {count} refreshes; held: {}", self.held());
    }

    /// Lets go what it holds, and holds nothing more.
    pub fn release(self) {}
}

impl Drop for RefreshGate {
    fn drop(&mut self) {
        self.0.open.send_replace(true);
    }
}

impl Gate {
    pub(super) fn shut(side: Side) -> (Arc<Self>, RefreshGate) {
        let (open, held) = (watch::Sender::new(false), watch::Sender::new(0));
        let gate = Arc::new(Self { side, open, held });
        (Arc::clone(&gate), RefreshGate(gate))
    }

    /// Returns when the gate lets a refresh on; false if its client went first.
    pub(super) async fn pass(&self, side: Side, left: impl Future<Output = ()>) -> bool {
        let mut open = self.open.subscribe();
        if side != self.side || *open.borrow() {
            return true;
        }
        let _held = Held::at(self);
        tokio::select! {
            biased;
            () = left => false,
            _ = open.wait_for(|open| *open) => true,
        }
    }
}

/// A refresh at the gate, counted as long as this lives.
struct Held<'a>(&'a Gate);

impl<'a> Held<'a> {
    fn at(gate: &'a Gate) -> Self {
        gate.held.send_modify(|held| *held += 1);
        Self(gate)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.send_modify(|held| *held -= 1);
    }
}
