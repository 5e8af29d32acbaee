//! Answers of Chat Completions, streamed and whole.

mod chunk;
mod error;
mod read;
mod write;

pub(crate) use self::error::{broken, read as read_error, write as written_error};
pub use self::read::{Reader, read_whole};
pub use self::write::{Writer, losses_of_whole, write_whole};
use crate::hub::{Bounds, Loss};

/// What answers of accounts lose on their way into the hub.
pub const READS: Bounds = Bounds { losses: &[], unsaid: &[Loss::StopSequenceName], ..Bounds::NONE };

/// What of answers clients are not told.
pub const WRITE_LOSSES: &[Loss] =
    &[Loss::Citations, Loss::FurtherCalls, Loss::Seals, Loss::StopSequenceName];

/// What of them clients of `/completions` are not told.
pub const TEXT_WRITE_LOSSES: &[Loss] = &[
    Loss::Citations,
    Loss::FurtherCalls,
    Loss::RefusalsAsText,
    Loss::Seals,
    Loss::StopSequenceName,
];
