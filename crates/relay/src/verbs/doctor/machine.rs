//! What the system allows the relay: open files, memory.

use super::{Check, Finding, bytes};
use crate::text::tr;

/// With fewer, a busy day ends in refused connections: a stream takes two.
pub const OPEN_FILES_LOW: u64 = 4_096;
/// What 5,000 streams take, each of them two connections, with some for files.
pub const OPEN_FILES_FOR_MANY: u64 = 10_240;
/// What the relay takes beside the bodies of requests, at the least.
const MEMORY_BESIDE_BODIES: u64 = 64 << 20;

/// Whose open files are limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The running relay's.
    Server,
    /// Those of this command, and so of a relay that is started from here.
    Command,
}

/// Judges how many files and connections may be open; `None` is no limit.
pub fn judge_open_files(limit: Option<u64>, whose: Whose) -> Finding {
    let check = Check::OpenFiles;
    let Some(limit) = limit else {
        return Finding::well(check, tr!("not limited"));
    };
    if limit >= OPEN_FILES_FOR_MANY {
        return Finding::well(check, tr!("up to {limit}", limit));
    }
    let what = match whose {
        Whose::Server => tr!("the running relay may open {limit}: a stream takes two", limit),
        Whose::Command => {
            tr!("a relay started from here may open {limit}: a stream takes two", limit)
        }
    };
    if limit >= OPEN_FILES_LOW {
        return Finding::well(check, what);
    }
    let to_do =
        tr!("raise it for many clients: `ulimit -n 16384`, LimitNOFILE=16384 in a systemd unit, \
         --ulimit nofile=16384 in Docker");
    Finding::note(check, what).to_do(to_do)
}

/// Judges the budget of memory for bodies of requests. `limit` is what the container may use, or
/// what the machine has.
pub fn judge_memory(limit: u64, bodies: u64) -> Finding {
    let check = Check::Memory;
    let (limit_words, bodies_words) = (bytes(limit), bytes(bodies));
    if bodies.saturating_add(MEMORY_BESIDE_BODIES) > limit {
        let what = tr!(
            "BODY_MEMORY_MB lets bodies of requests take {bodies} of {limit}: the system may kill \
             the relay",
            bodies = bodies_words,
            limit = limit_words
        );
        let to_do = tr!("lower BODY_MEMORY_MB to a quarter of the memory, or leave it out");
        return Finding::wrong(check, what, to_do);
    }
    if bodies > limit / 2 {
        let what = tr!(
            "BODY_MEMORY_MB lets bodies of requests take {bodies}, more than half of {limit}",
            bodies = bodies_words,
            limit = limit_words
        );
        return Finding::note(check, what);
    }
    let what = tr!(
        "{limit}, of which bodies of requests may take {bodies}",
        bodies = bodies_words,
        limit = limit_words
    );
    Finding::well(check, what)
}
