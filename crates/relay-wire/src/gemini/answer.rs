//! Answers of Google's accounts into the hub's steps.

mod chunk;
mod read;

pub use self::read::{Reader, read_whole};
use crate::hub::{Bounds, Loss};

/// What answers of accounts lose on their way into the hub.
pub const READS: Bounds =
    Bounds { losses: &[], unsaid: &[Loss::CallSeals, Loss::StopSequenceName], ..Bounds::NONE };
