//! Answers of Responses, streamed and whole.

mod gather;
mod read;
mod write;

pub use self::gather::Whole;
pub use self::read::{Reader, read_whole};
pub use self::write::{Writer, failed, losses_of_whole, write_whole};
use crate::hub::{Bounds, Loss};

/// What answers of accounts lose on their way into the hub.
pub const READS: Bounds = Bounds {
    losses: &[Loss::HostedTools],
    unsaid: &[Loss::CallSeals, Loss::StopSequenceName],
    ..Bounds::NONE
};

/// What of answers clients are not told.
pub const WRITE_LOSSES: &[Loss] = &[Loss::CallSeals, Loss::Citations, Loss::StopSequenceName];
