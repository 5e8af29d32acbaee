//! What can fail for want of space, and the ballast that is thrown off when it does.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

/// The operations that need space: a seam, so that tests can fill the disk.
pub(super) trait Disk: fmt::Debug + Send {
    /// Writes at the end of a file, perhaps not all.
    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<usize>;

    /// Makes an empty file `bytes` long, with space on the disk for each of them.
    fn allocate(&self, file: &File, bytes: u64) -> io::Result<()>;

    /// Cuts a file to its first `bytes`.
    fn cut(&self, file: &File, bytes: u64) -> io::Result<()>;
}

/// The disk itself.
#[derive(Debug)]
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn write(&self, mut file: &File, bytes: &[u8]) -> io::Result<usize> {
        file.write(bytes)
    }

    fn allocate(&self, file: &File, bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeroes(file, bytes),
            result => Ok(result?),
        }
    }

    fn cut(&self, file: &File, bytes: u64) -> io::Result<()> {
        file.set_len(bytes)
    }
}

fn write_zeroes(mut file: &File, bytes: u64) -> io::Result<()> {
    io::copy(&mut io::Read::take(io::repeat(0), bytes), &mut file)?;
    file.sync_data()
}

/// Whether an operation failed because there is no space.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// A file that only takes up space, so that deleting it makes some.
#[derive(Debug)]
pub(super) struct Ballast {
    path: PathBuf,
    bytes: u64,
}

impl Ballast {
    pub(super) fn new(dir: &Path, bytes: u64) -> Self {
        Self { path: dir.join("reserve"), bytes }
    }

    /// Takes the ballast on, unless it is there, if `headroom` bytes are left beside it.
    pub(super) fn take_on(&self, disk: &dyn Disk, headroom: u64) -> io::Result<()> {
        let held = fs::metadata(&self.path).map_or(0, |found| found.len());
        if held == self.bytes {
            return Ok(());
        }
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&self.path)?;
        let allocated =
            disk.allocate(&file, self.bytes + headroom).and_then(|()| file.set_len(self.bytes));
        if allocated.is_err() {
            self.throw_off();
        }
        allocated
    }

    /// Gives its space back; whether there was any.
    pub(super) fn throw_off(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}
