//! Logging: text or JSON on the console, JSON in files that rotate.

mod rotating;

use std::io;
use std::path::Path;

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::config::{LogFormat, LogSettings};

pub use rotating::Rotating;

/// Lines that may wait to be written; more are dropped rather than holding up calls.
const LINES_WAITING_MAX: usize = 16_384;

/// Keeps the writers alive; what waits is written when it is dropped.
#[must_use = "lines are lost when the guards are dropped"]
#[derive(Debug)]
pub struct LogGuards {
    _writers: [WorkerGuard; 2],
}

/// Starts logging to the console and to `directory`.
pub fn start(settings: &LogSettings, directory: &Path) -> io::Result<LogGuards> {
    let file = Rotating::open(directory, settings.file_bytes_max, settings.files_max)?;
    let (file, file_guard) = in_background(file);
    let (console, console_guard) = in_background(io::stderr());
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
    Ok(LogGuards { _writers: [file_guard, console_guard] })
}

fn in_background(writer: impl io::Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().buffered_lines_limit(LINES_WAITING_MAX).finish(writer)
}
