//! The data directory: its named files, the lock of the one server that uses it, and private files.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Mode of the directories that only the relay may enter.
const PRIVATE_DIR: u32 = 0o700;
/// Mode of the files that only the relay may read.
const PRIVATE_FILE: u32 = 0o600;
/// How long a lock is tried for, and the pause between two tries.
const LOCK_WITHIN: Duration = Duration::from_millis(200);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Why the data directory could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// There is no such directory, and it was not to be made.
    #[error("there is no data directory at {}", .0.display())]
    Missing(PathBuf),
    /// The directory could not be made or looked at.
    #[error("cannot use {} as the data directory", .path.display())]
    Open {
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another server holds the directory's lock.
    #[error("another server{} uses the data directory {}", process(.pid.as_deref()), .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// That server's process, if it is known.
        pid: Option<String>,
    },
    /// The lock could not be taken for another reason.
    #[error("cannot lock {}", .path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A private file could not be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The directory that holds everything a relay keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir {
    root: PathBuf,
}

/// The exclusive use of a data directory, for as long as this value lives.
#[derive(Debug)]
pub struct DirLock {
    // The system gives up the lock when the file is closed, also when the process is killed.
    file: File,
}

impl DirLock {
    /// Writes down which process has the directory, for the refusal of a second server. Not done
    /// when the lock is taken: a start that is refused leaves every file as it was.
    pub fn sign(&mut self) {
        // The number only makes a refusal clearer; the lock holds without it.
        let _ = self.file.set_len(0).and_then(|()| write!(self.file, "{}", std::process::id()));
    }
}

impl DataDir {
    /// Opens a data directory that exists.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, DataDirError> {
        let root = root.into();
        match fs::metadata(&root) {
            Ok(found) if found.is_dir() => Ok(Self { root }),
            Ok(_) => {
                Err(DataDirError::Open { path: root, source: ErrorKind::NotADirectory.into() })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Err(DataDirError::Missing(root)),
            Err(source) => Err(DataDirError::Open { path: root, source }),
        }
    }

    /// Opens a data directory, and makes it (for its owner alone) if there is none.
    ///
    /// The mode of a directory that exists is left alone: it may be shared on purpose, or be a
    /// mistake such as `/tmp`. [`DataDir::is_open_to_others`] tells.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self, DataDirError> {
        let root = root.into();
        match DirBuilder::new().recursive(true).mode(PRIVATE_DIR).create(&root) {
            Ok(()) => Self::open(root),
            Err(source) => Err(DataDirError::Open { path: root, source }),
        }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The SQLite database, `crs.db`.
    pub fn database(&self) -> PathBuf {
        self.root.join("crs.db")
    }

    /// The directory of the usage journal, `journal/`.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// The directory of the record of refreshes, `credentials/`.
    pub fn credentials(&self) -> PathBuf {
        self.root.join("credentials")
    }

    /// The file of the master key, `master.key`; absent where the environment gives the key.
    pub fn master_key(&self) -> PathBuf {
        self.root.join("master.key")
    }

    /// The directory of the log files, `logs/`.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The first administrator's generated password, `init.json`.
    pub fn init_file(&self) -> PathBuf {
        self.root.join("init.json")
    }

    /// The socket over which commands ask a running server, `crs.sock`.
    pub fn socket(&self) -> PathBuf {
        self.root.join("crs.sock")
    }

    /// The file whose lock a running server holds, `crs.lock`.
    pub fn lock_file(&self) -> PathBuf {
        self.root.join("crs.lock")
    }

    /// Whether users other than the owner may enter the directory: worth a warning.
    pub fn is_open_to_others(&self) -> io::Result<bool> {
        Ok(fs::metadata(&self.root)?.permissions().mode() & 0o077 != 0)
    }

    /// Takes the directory for one server; fails if another has it. Whoever looks whether one has
    /// takes the lock for a moment too, so the first refusal is not the last word.
    pub fn lock(&self) -> Result<DirLock, DataDirError> {
        let path = self.lock_file();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE_FILE)
            .open(&path)
            .map_err(|source| DataDirError::Lock { path: path.clone(), source })?;
        let deadline = Instant::now() + LOCK_WITHIN;
        let mut taken = file.try_lock();
        while matches!(taken, Err(TryLockError::WouldBlock)) && Instant::now() < deadline {
            thread::sleep(LOCK_PAUSE);
            taken = file.try_lock();
        }
        match taken {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = read_pid(&mut file);
                return Err(DataDirError::InUse { path: self.root.clone(), pid });
            }
            Err(TryLockError::Error(source)) => return Err(DataDirError::Lock { path, source }),
        }
        Ok(DirLock { file })
    }
}

/// Makes a directory that only its owner may enter, unless it exists.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(PRIVATE_DIR).create(path)
}

/// Writes a file that only its owner may read, in place of the one that is there.
///
/// A reader, also after a crash, finds all of the old content or all of the new. When this
/// returns, the new is on disk.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), DataDirError> {
    through_draft(path, bytes, |draft| fs::rename(draft, path))
}

/// Like [`write_private`], but a file that exists is left as it is; whether it was written.
pub fn create_private(path: &Path, bytes: &[u8]) -> Result<bool, DataDirError> {
    let mut created = true;
    through_draft(path, bytes, |draft| match fs::hard_link(draft, path) {
        Ok(()) => fs::remove_file(draft),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            created = false;
            fs::remove_file(draft)
        }
        // A file system without hard links; the look and the rename are then two steps.
        Err(_) if !path.try_exists()? => fs::rename(draft, path),
        Err(error) => Err(error),
    })?;
    Ok(created)
}

/// Writes a draft beside `path`, lets `place` put it where it belongs, and syncs both.
fn through_draft(
    path: &Path,
    bytes: &[u8],
    place: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), DataDirError> {
    let draft = draft_of(path);
    let written = write_new(&draft, bytes)
        .and_then(|()| place(&draft))
        .and_then(|()| sync_dir(path.parent().unwrap_or(Path::new("."))));
    written.map_err(|source| {
        let _ = fs::remove_file(&draft);
        DataDirError::Write { path: path.to_owned(), source }
    })
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Puts right the mode of a file or directory that is to be its owner's alone.
pub fn make_private(path: &Path) -> io::Result<()> {
    let found = fs::metadata(path)?;
    let mode = if found.is_dir() { PRIVATE_DIR } else { PRIVATE_FILE };
    if found.permissions().mode() & 0o777 == mode {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Whether a file is what a crash left of a private file that was being written.
pub(crate) fn is_draft(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("tmp"))
}

/// A name that no other writer of the same file uses.
fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or(OsStr::new("file")).to_owned();
    name.push(format!(".{:08x}.tmp", u32::from_ne_bytes(crate::vault::random())));
    path.with_file_name(name)
}

/// Makes names that were added to or taken from a directory last.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

fn read_pid(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

fn process(pid: Option<&str>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_create_makes_a_directory_and_nobody_else_may_enter_it() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("relay/data");
        assert!(matches!(DataDir::open(&root), Err(DataDirError::Missing(_))));
        let dir = DataDir::create(&root).unwrap();
        assert_eq!(mode(&root), 0o700);
        assert!(!dir.is_open_to_others().unwrap());
        assert_eq!(DataDir::open(&root).unwrap(), dir);
    }

    #[test]
    fn a_directory_that_exists_keeps_its_mode() {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let dir = DataDir::create(home.path()).unwrap();
        assert_eq!(mode(home.path()), 0o755);
        assert!(dir.is_open_to_others().unwrap());
    }

    #[test]
    fn a_file_is_no_data_directory() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("plain");
        fs::write(&path, "").unwrap();
        assert!(matches!(DataDir::open(&path), Err(DataDirError::Open { .. })));
    }

    #[test]
    fn one_server_at_a_time_and_the_second_is_told_which() {
        let home = tempfile::tempdir().unwrap();
        let dir = DataDir::create(home.path()).unwrap();
        let mut lock = dir.lock().unwrap();
        lock.sign();
        let refusal = dir.lock().unwrap_err().to_string();
        assert!(refusal.contains(&format!("(process {})", std::process::id())), "{refusal}");
        drop(lock);
        dir.lock().unwrap();
    }

    #[test]
    fn a_look_at_the_lock_does_not_refuse_a_server() {
        let home = tempfile::tempdir().unwrap();
        let dir = DataDir::create(home.path()).unwrap();
        drop(dir.lock().unwrap());
        let looker = File::open(dir.lock_file()).unwrap();
        looker.lock_shared().unwrap();
        let (told, begun) = std::sync::mpsc::channel();
        let starting = thread::spawn(move || {
            told.send(()).unwrap();
            dir.lock().map(drop)
        });
        begun.recv().unwrap();
        // Long enough for a first try to have met the look, and within what a start waits.
        thread::sleep(LOCK_WITHIN / 8);
        drop(looker);
        starting.join().unwrap().unwrap();
    }

    #[test]
    fn a_private_file_is_replaced_whole_and_leaves_no_draft() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("init.json");
        write_private(&path, b"a longer first text").unwrap();
        write_private(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn create_private_never_replaces() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("master.key");
        assert!(create_private(&path, b"first").unwrap());
        assert!(!create_private(&path, b"second").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_says_where() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("absent/file");
        let refusal = write_private(&path, b"x").unwrap_err().to_string();
        assert!(refusal.ends_with("absent/file"), "{refusal}");
    }
}
