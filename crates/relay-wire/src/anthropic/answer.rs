//! Answers in the Messages protocol: those of Claude's accounts into the hub's steps, and steps into
//! what clients of Claude read.

mod read;
mod write;

pub use self::read::{Reader, read_whole};
pub use self::write::{Writer, losses_of_whole, write_whole};
use crate::hub::{Bounds, Loss};

/// What answers of accounts lose on their way into the hub.
pub const READS: Bounds =
    Bounds { losses: &[Loss::HostedTools], unsaid: &[Loss::CallSeals], ..Bounds::NONE };

/// What of answers clients are not told.
pub const WRITE_LOSSES: &[Loss] = &[Loss::CallSeals, Loss::Citations];
