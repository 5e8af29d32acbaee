//! Where a demo keeps its data: a directory of its own that goes with it, or one that stays.

use std::fmt;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use relay_store::data_dir::{DataDir, write_private};

use super::random::Dice;

/// The file that says that a directory is a demo's. It holds the address of the provider that the
/// accounts in it were made for.
const MARK: &str = "demo.mark";

/// How often a removal is tried: what another process has just written into the directory (a
/// command, or an editor) is in its way.
const REMOVALS_MAX: u32 = 5;

/// The data directory of a demo. One that nobody named is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    provider: Option<String>,
    is_kept: bool,
}

impl Place {
    /// Takes the directory that was named, or makes a new one.
    pub(super) fn take(named: Option<&Path>) -> anyhow::Result<Self> {
        match named {
            Some(path) => Self::named(path),
            None => Self::new(),
        }
    }

    /// The directory.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it stays.
    pub(super) const fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// The address of the provider that an earlier demo in it had.
    pub(super) fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }

    /// Writes down that it is a demo's, and whose accounts are in it.
    pub(super) fn mark(&self, provider: &str) -> anyhow::Result<()> {
        Ok(write_private(&self.path.join(MARK), provider.as_bytes())?)
    }

    fn named(path: &Path) -> anyhow::Result<Self> {
        let dir = DataDir::create(path)?;
        let provider = match fs::read_to_string(dir.root().join(MARK)) {
            Ok(address) => Some(address.trim().to_owned()),
            Err(_) => None,
        };
        // The database is not even opened: that alone could bring it to a newer form.
        let mut files =
            fs::read_dir(dir.root()).with_context(|| format!("cannot read {}", path.display()))?;
        if provider.is_none() && files.next().is_some() {
            bail!(
                "{} is not empty and not a demo's: a demo takes a new directory, or one of its own",
                path.display()
            );
        }
        let path = fs::canonicalize(path).context("cannot tell where the data directory is")?;
        Ok(Self { path, provider, is_kept: true })
    }

    fn new() -> anyhow::Result<Self> {
        let number = Dice::of_the_machine().next();
        Self::within(&std::env::temp_dir(), &format!("crs-demo-{number:016x}"))
    }

    /// Makes the directory alone, and not what it is to be in: that would stay.
    fn within(parent: &Path, name: &str) -> anyhow::Result<Self> {
        let path = parent.join(name);
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot make a directory in {} (TMPDIR)", parent.display()))?;
        let dir = DataDir::open(path)?;
        Ok(Self { path: dir.root().to_owned(), provider: None, is_kept: false })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        for _ in 0..REMOVALS_MAX {
            match fs::remove_dir_all(&self.path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_of_its_own_goes_with_it_and_a_named_one_stays() {
        let own = Place::take(None).expect("a place");
        own.mark("http://127.0.0.1:1").expect("marked");
        let path = own.path().to_owned();
        assert!(path.is_dir() && path.starts_with(std::env::temp_dir()));
        drop(own);
        assert!(!path.exists());

        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("demo");
        let named = Place::take(Some(&path)).expect("a place");
        assert_eq!(named.provider(), None);
        named.mark("http://127.0.0.1:1").expect("marked");
        drop(named);
        let again = Place::take(Some(&path)).expect("its own directory");
        assert_eq!(again.provider(), Some("http://127.0.0.1:1"));
    }

    #[test]
    fn where_there_is_no_place_for_it_nothing_is_made() {
        let home = tempfile::tempdir().expect("a directory");
        let parent = home.path().join("nope");
        let refused = Place::within(&parent, "demo").expect_err("refused").to_string();
        assert!(refused.contains("nope (TMPDIR)"), "{refused}");
        assert!(!parent.exists());
    }

    #[test]
    fn a_directory_of_others_is_refused_and_left_as_it_is() {
        let home = tempfile::tempdir().expect("a directory");
        fs::write(home.path().join("crs.db"), "a relay's").expect("a file");
        let refused = Place::take(Some(home.path())).expect_err("refused").to_string();
        assert!(refused.contains("not a demo's"), "{refused}");
        let files = fs::read_dir(home.path()).expect("a directory").count();
        assert_eq!(files, 1);
    }
}
