//! Whether there is room on the disk of the data directory, and whether a database may stand there.

use super::{Check, Finding, bytes};
use crate::text::tr;

/// With less the relay may stop taking calls at any time: the journal holds back 8 MiB and writes
/// segments of 8 MiB, and the log of the database grows to 16 MiB and more.
pub const FREE_BYTES_LEAST: u64 = 64 << 20;
/// With less somebody should look soon.
pub const FREE_BYTES_LOW: u64 = 1 << 30;
/// Files that can still be made: segments, drafts, logs.
pub const FREE_FILES_LEAST: u64 = 64;
/// With fewer somebody should look soon.
pub const FREE_FILES_LOW: u64 = 2_000;

/// The file system of the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this user may still write.
    pub free_bytes: u64,
    /// Files that this user may still make, and those there can be; 0 of 0 where nobody counts.
    pub free_files: u64,
    /// How many files there can be.
    pub files: u64,
    /// What is known of its kind.
    pub kind: Kind,
    /// Whether it is mounted for reading alone.
    pub read_only: bool,
}

/// Kinds of file systems, as far as they matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One on a disk of this machine, or one that nothing is known of.
    Local,
    /// On another machine, by this protocol.
    Network(&'static str),
    /// In memory.
    Memory,
    /// The uppermost layer of a container.
    Container,
}

impl Kind {
    /// The kind by the number that Linux has for it (statfs(2)).
    pub const fn of_magic(magic: i64) -> Self {
        match magic & 0xffff_ffff {
            0x6969 => Self::Network("NFS"),
            0x517b | 0xff53_4d42 | 0xfe53_4d42 => Self::Network("SMB"),
            0x0102_1997 => Self::Network("9p"),
            0x00c3_6400 => Self::Network("Ceph"),
            0x5346_414f => Self::Network("AFS"),
            0x6573_5546 => Self::Network("FUSE"),
            0x0102_1994 | 0x8584_58f6 => Self::Memory,
            0x794c_7630 => Self::Container,
            _ => Self::Local,
        }
    }
}

/// Judges the room and the kind.
pub fn judge(space: &Space) -> Vec<Finding> {
    vec![room(space), kind(space)]
}

fn room(space: &Space) -> Finding {
    let free = bytes(space.free_bytes);
    let to_do = || tr!("make room on the disk of the data directory, or move it to a larger one");
    if space.read_only {
        let what = tr!("its file system is mounted for reading alone");
        return Finding::wrong(
            Check::Disk,
            what,
            tr!("mount it writable; look for disk errors in dmesg"),
        );
    }
    if space.free_bytes < FREE_BYTES_LEAST {
        let what = tr!("{free} are free: calls will be refused once the journal has no room", free);
        return Finding::wrong(Check::Disk, what, to_do());
    }
    let counts_files = space.files > 0;
    if counts_files && space.free_files < FREE_FILES_LEAST {
        let what = tr!("no more than {count} files can be made (inodes)", count = space.free_files);
        return Finding::wrong(Check::Disk, what, to_do());
    }
    if counts_files && space.free_files < FREE_FILES_LOW {
        let what = tr!("only {count} files can still be made (inodes)", count = space.free_files);
        return Finding::note(Check::Disk, what).to_do(to_do());
    }
    if space.free_bytes < FREE_BYTES_LOW {
        return Finding::note(Check::Disk, tr!("only {free} are free", free)).to_do(to_do());
    }
    Finding::well(Check::Disk, tr!("{free} are free", free))
}

fn kind(space: &Space) -> Finding {
    match space.kind {
        Kind::Local => Finding::well(Check::FileSystem, tr!("fit for a database")),
        Kind::Network(protocol) => {
            let what = tr!(
                "the directory may be on another machine ({protocol}): the database can be \
                 damaged there, as its locks and its shared memory do not reach over a network",
                protocol
            );
            let to_do = tr!("move the data directory to a disk of this machine");
            Finding::note(Check::FileSystem, what).to_do(to_do)
        }
        Kind::Memory => {
            let what =
                tr!("the directory is in memory: all of it is gone when the machine restarts");
            let to_do = tr!("move the data directory to a disk");
            Finding::note(Check::FileSystem, what).to_do(to_do)
        }
        Kind::Container => {
            let what =
                tr!("the directory may be within a container: it goes when the container does");
            let to_do = tr!("mount a volume at the data directory");
            Finding::note(Check::FileSystem, what).to_do(to_do)
        }
    }
}
