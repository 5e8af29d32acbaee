//! Logging: text or JSON on the console, JSON in files that rotate.

mod collector;
mod lines;
mod rotating;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, LogSettings};

use collector::{Writing, collect};
use lines::{Lines, Look};
use rotating::Rotating;

/// Keeps the writers alive; what waits is written when it is dropped.
#[must_use = "lines are lost when the guards are dropped"]
#[derive(Debug)]
pub struct LogGuards {
    writers: [Writing; 2],
}

impl LogGuards {
    /// Counts the lines that found no room.
    pub fn dropped_lines(&self) -> DroppedLines {
        DroppedLines(self.writers.each_ref().map(Writing::dropped))
    }
}

/// The lines that found no room since the start, in the file and on the console.
#[derive(Debug, Clone, Default)]
pub struct DroppedLines([Arc<AtomicU64>; 2]);

impl DroppedLines {
    /// How many.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|dropped| dropped.load(Ordering::Relaxed)).sum()
    }
}

/// Starts logging to the console and to `directory`.
pub fn start(settings: &LogSettings, directory: &Path) -> io::Result<LogGuards> {
    let files = Rotating::open(directory, settings.file_bytes_max, settings.files_max)?;
    let look = match settings.format {
        LogFormat::Json => Look::Json,
        LogFormat::Text if io::IsTerminal::is_terminal(&io::stderr()) => Look::Coloured,
        LogFormat::Text => Look::Plain,
    };
    let (files, file_writing) = collect(files, |count| lines::dropped(count, Look::Json))?;
    let (console, console_writing) =
        collect(io::stderr(), move |count| lines::dropped(count, look))?;
    tracing_subscriber::registry()
        .with(settings.level)
        .with(Lines { console, look, files })
        .try_init()
        .map_err(io::Error::other)?;
    Ok(LogGuards { writers: [file_writing, console_writing] })
}
