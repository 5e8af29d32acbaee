//! Whether the database can be read, is whole and of a schema that this program knows.

use relay_store::StoreError;
use relay_store::checkup::Schema;

use super::{Check, Finding, bytes};
use crate::text::{causes, spoken, tr};

/// A log of this size was not moved into the database for long.
pub const LOG_BYTES_MAX: u64 = 256 << 20;

/// What was found of the database.
#[derive(Debug)]
pub enum Found {
    /// There is none, or an empty file.
    Missing,
    /// It cannot be looked at.
    Fails(StoreError),
    /// It was looked at.
    There {
        /// Its schema.
        schema: Schema,
        /// Whether its pages are whole.
        pages: Pages,
        /// Bytes of its write-ahead log.
        log_bytes: u64,
    },
}

/// Whether the pages of a database are whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pages {
    /// They are.
    Whole,
    /// They are not, in the engine's words.
    Damaged(String),
    /// There was no time to read them all.
    Unread,
}

/// Judges the database.
pub fn judge(found: &Found) -> Finding {
    let check = Check::Database;
    let backup = || tr!("stop the relay, keep a copy of the data directory, and restore a backup");
    match found {
        Found::Missing | Found::There { schema: Schema::Empty, .. } => {
            let to_do = tr!("start the relay with `crs serve`, which makes it");
            Finding::note(check, tr!("there is none yet")).to_do(to_do)
        }
        Found::Fails(StoreError::NewerSchema { found, known, .. }) => {
            let what = tr!(
                "it was written by a newer release (its schema is {found}, this program knows {known})",
                found,
                known
            );
            Finding::wrong(check, what, tr!("run the newer program"))
        }
        Found::Fails(StoreError::Foreign { .. }) => {
            let what = tr!("crs.db is a database of another program");
            Finding::wrong(
                check,
                what,
                tr!("name the relay's own directory with --data-dir or DATA_DIR"),
            )
        }
        Found::Fails(StoreError::Open { source, .. }) => {
            let what = tr!("it cannot be opened: {why}", why = causes(source, spoken()));
            let to_do = tr!("run this as the user that the relay runs as, or as root");
            Finding::wrong(check, what, to_do)
        }
        Found::Fails(error) if error.is_transient() => {
            let what = tr!("it cannot be read now: {why}", why = causes(error, spoken()));
            Finding::wrong(check, what, tr!("see what else uses it, and try again"))
        }
        Found::Fails(error) => Finding::wrong(
            check,
            tr!("it is damaged: {why}", why = causes(error, spoken())),
            backup(),
        ),
        Found::There { pages: Pages::Damaged(why), .. } => {
            Finding::wrong(check, tr!("it is damaged: {why}", why), backup())
        }
        Found::There { log_bytes, .. } if *log_bytes > LOG_BYTES_MAX => {
            let what = tr!("its log has grown to {size}", size = bytes(*log_bytes));
            let to_do = tr!("close other programs that read crs.db; restart the relay if it stays");
            Finding::note(check, what).to_do(to_do)
        }
        Found::There { schema: Schema::Older, .. } => {
            Finding::note(check, tr!("of an earlier release; the next start brings it up to date"))
        }
        Found::There { pages: Pages::Unread, .. } => {
            Finding::note(check, tr!("it opens; it is too large to be read through here"))
        }
        Found::There { .. } => Finding::well(check, tr!("it opens and is whole")),
    }
}
