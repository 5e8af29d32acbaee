//! What a codec may lose and refuse: it declares that beside its code, and stays within it.

use super::{Loss, Losses, Unsupported};

/// What a codec cannot carry. It loses and refuses nothing else: builds with debug assertions stop
/// at it, and tests see to it that each declaration can happen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// What it does without.
    pub losses: &'static [Loss],
    /// What it refuses.
    pub refuses: &'static [Refusal],
    /// Of a reader: what others would lose, but what nobody says in its protocol.
    pub unsaid: &'static [Loss],
    /// Of a writer: what it would lose of requests that no reader gives.
    pub guards: &'static [Loss],
}

/// Something that callers are refused, with status 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// What it is, for the table in the documents.
    pub what: &'static str,
    /// Why, as callers are told.
    pub why: &'static str,
}

impl Refusal {
    /// So-and-so, for this reason.
    pub const fn new(what: &'static str, why: &'static str) -> Self {
        Self { what, why }
    }
}

impl Bounds {
    /// Those of what there is no codec for.
    pub const NONE: Self = Self { losses: &[], refuses: &[], unsaid: &[], guards: &[] };

    /// Whether what came of a codec is within its bounds.
    pub fn hold(&self, outcome: Result<&Losses, Option<&Unsupported>>) -> bool {
        match outcome {
            Ok(losses) => {
                let is_declared = |loss| self.losses.contains(loss) || self.guards.contains(loss);
                losses.iter().all(is_declared)
            }
            Err(refused) => refused.is_none_or(|it| self.refusal(it).is_some()),
        }
    }

    /// The declaration that a refusal goes by.
    pub fn refusal(&self, refused: &Unsupported) -> Option<&'static Refusal> {
        self.refuses.iter().find(|it| it.why == refused.why)
    }
}
