//! A log file that begins anew at a size; the older ones are numbered, and the oldest goes.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// `crs.log`, with `crs.log.1` and so on behind it.
#[derive(Debug)]
pub(super) struct Rotating {
    path: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
    files_max: usize,
}

impl Rotating {
    /// Goes on with the log in `directory`, which is made if need be.
    pub(super) fn open(directory: &Path, bytes_max: u64, files_max: usize) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let path = directory.join("crs.log");
        let file = open(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path, file, bytes, bytes_max, files_max })
    }

    fn numbered(&self, number: usize) -> PathBuf {
        self.path.with_extension(format!("log.{number}"))
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.files_max).rev() {
            let newer = if number == 1 { self.path.clone() } else { self.numbered(number - 1) };
            if newer.exists() {
                fs::rename(newer, self.numbered(number))?;
            }
        }
        if self.files_max == 1 {
            fs::remove_file(&self.path)?;
        }
        self.file = open(&self.path)?;
        self.bytes = 0;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

impl Write for Rotating {
    /// Writes the whole lines that fit into the present file; a new one begins with the next.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let mut room =
            usize::try_from(self.bytes_max.saturating_sub(self.bytes)).unwrap_or(usize::MAX);
        if room < lines.len() {
            room = memchr::memrchr(b'\n', &lines[..room]).map_or(0, |end| end + 1);
        }
        if room == 0 && self.bytes > 0 {
            self.rotate()?;
            return self.write(lines);
        }
        // A line longer than a file stands in one of its own.
        let first_line = memchr::memchr(b'\n', lines).map_or(lines.len(), |end| end + 1);
        let written = self.file.write(&lines[..room.max(first_line).min(lines.len())])?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_moves_on_and_the_oldest_goes() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut log = Rotating::open(directory.path(), 10, 3).expect("a log");
        log.write_all(b"first..\nsecond.\nthird..\n").expect("written");
        log.write_all(b"fourth.\n").expect("written");
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).ok();
        assert_eq!(read("crs.log").as_deref(), Some("fourth.\n"));
        assert_eq!(read("crs.log.1").as_deref(), Some("third..\n"));
        assert_eq!(read("crs.log.2").as_deref(), Some("second.\n"));
        assert_eq!(read("crs.log.3"), None);
    }
}
