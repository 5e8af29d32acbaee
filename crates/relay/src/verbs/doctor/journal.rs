//! Whether the usage journal can be read, is whole, and whether the database keeps up with it.

use relay_store::journal::{Lines, Look, WriterIs};

use super::{Check, Finding, bytes};
use crate::text::{retold, spoken, tr};

/// More than this is not read line by line, as that would take seconds.
pub const READ_BYTES_MAX: u64 = 256 << 20;
/// A running relay whose database is further behind has a database that takes no records.
pub const BEHIND_BYTES_MAX: u64 = 32 << 20;

/// What was found of the journal.
#[derive(Debug)]
pub enum Found {
    /// There is none.
    Missing,
    /// It cannot be read, for this reason.
    Fails(String),
    /// It was looked at.
    There(Look),
}

/// Judges the journal.
pub fn judge(found: &Found, writer: WriterIs) -> Vec<Finding> {
    let check = Check::Journal;
    let look = match found {
        Found::Missing => {
            return vec![Finding::note(check, tr!("there is none yet; the first start makes it"))];
        }
        Found::Fails(why) => {
            let what = tr!("it cannot be read: {why}", why = retold(why, spoken()));
            let to_do = tr!("see to the disk and to whose the directory journal/ is");
            return vec![Finding::wrong(check, what, to_do)];
        }
        Found::There(look) => look,
    };
    let mut findings: Vec<Finding> = look.lines.iter().flat_map(|it| lines(it, writer)).collect();
    let behind = bytes(look.behind_bytes);
    if writer == WriterIs::Running && look.behind_bytes > BEHIND_BYTES_MAX {
        let what =
            tr!("the database is {behind} behind it: it takes no records at present", behind);
        let to_do = tr!("see what the relay's log says of the database; nothing is lost meanwhile");
        findings.push(Finding::wrong(check, what, to_do));
    } else if writer == WriterIs::Gone && look.behind_bytes > 0 {
        let what =
            tr!("the database is {behind} behind it; the next start brings it up to date", behind);
        findings.push(Finding::note(check, what));
    }
    if look.lines.is_none() {
        let what = tr!("its {size} are too much to be read through here", size = bytes(look.bytes));
        findings.push(Finding::note(check, what));
    }
    if findings.is_empty() {
        let what = tr!("{size}, all whole", size = bytes(look.bytes));
        findings.push(Finding::well(check, what));
    }
    findings
}

fn lines(lines: &Lines, writer: WriterIs) -> Vec<Finding> {
    let check = Check::Journal;
    let mut findings = Vec::new();
    if lines.damaged > 0 {
        let what = tr!("damaged lines: {count}; what they recorded is lost", count = lines.damaged);
        let to_do = tr!(
            "look for disk errors in dmesg, and keep a copy of the directory journal/; the relay \
             passes over these lines"
        );
        findings.push(Finding::wrong(check, what, to_do));
    }
    if lines.cut > 0 {
        let what =
            tr!("ends that a crash or a power cut left unfinished: {count}", count = lines.cut);
        findings.push(Finding::note(check, what));
    }
    if lines.unsettled > 0 && writer == WriterIs::Gone {
        let what = tr!(
            "calls that the last run left open: {count}; the next start settles them as estimated",
            count = lines.unsettled
        );
        findings.push(Finding::note(check, what));
    }
    findings
}
