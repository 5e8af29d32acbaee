//! Logging: text or JSON on the console, JSON in files that rotate.

mod collector;
mod rotating;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::config::{LogFormat, LogSettings};

use collector::{Writing, collect};
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
#[derive(Debug, Default)]
pub struct DroppedLines([Arc<AtomicU64>; 2]);

impl DroppedLines {
    /// How many.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|dropped| dropped.load(Ordering::Relaxed)).sum()
    }
}

/// Starts logging to the console and to `directory`.
pub fn start(settings: &LogSettings, directory: &Path) -> io::Result<LogGuards> {
    let file = Rotating::open(directory, settings.file_bytes_max, settings.files_max)?;
    let (file, file_writing) = collect(file)?;
    let (console, console_writing) = collect(io::stderr())?;
    let console = match settings.format {
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(console).boxed(),
        LogFormat::Text => {
            let colours = io::IsTerminal::is_terminal(&io::stderr());
            fmt::layer().with_ansi(colours).with_writer(console).boxed()
        }
    };
    let file = fmt::layer().json().flatten_event(true).with_writer(file);
    tracing_subscriber::registry()
        .with(settings.level)
        .with(console)
        .with(file)
        .try_init()
        .map_err(io::Error::other)?;
    Ok(LogGuards { writers: [file_writing, console_writing] })
}
