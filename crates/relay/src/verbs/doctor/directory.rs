//! Whether there is a data directory, who may read it, and whose its files are.

use std::path::Path;

use super::{Check, Finding};
use crate::text::{retold, spoken, tr};

/// Bits of a mode that others than the owner have.
const OTHERS: u32 = 0o077;
/// Names of files that are told, of many.
const NAMED_MAX: usize = 4;
/// The user that may do everything.
const ROOT: u32 = 0;

/// A data directory, or what is in its place.
#[derive(Debug, Clone)]
pub enum Place {
    /// Nothing.
    Missing,
    /// Something that is no directory.
    NoDirectory,
    /// The system does not let it be looked at, for this reason.
    Closed(String),
    /// A directory.
    There(Tree),
}

/// A data directory with its entries.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Its mode.
    pub mode: u32,
    /// Whose it is.
    pub owner: u32,
    /// As whom this program runs.
    pub user: u32,
    /// Why this program cannot write to it, if it cannot.
    pub unwritable: Option<String>,
    /// What stands in it.
    pub entries: Vec<Entry>,
}

/// A file or directory below the data directory.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its path from there.
    pub name: String,
    /// Its mode.
    pub mode: u32,
    /// Whose it is.
    pub owner: u32,
    /// Whether it is a link; the rest is then of what it leads to, if it leads anywhere.
    pub is_link: bool,
}

impl Entry {
    /// Whether it holds secrets.
    fn is_private(&self) -> bool {
        matches!(
            self.name.as_str(),
            "master.key" | "init.json" | "crs.db" | "crs.db-wal" | "crs.db-shm" | "crs.sock"
        ) || self.name.starts_with("credentials/")
    }
}

/// Judges a data directory at `path`; the first finding is about whether it is there.
pub fn judge(path: &Path, place: &Place) -> Vec<Finding> {
    let shown = path.display();
    let check = Check::DataDir;
    match place {
        Place::Missing => {
            let to_do =
                tr!("start the relay with `crs serve`, which makes it, or say where it is with \
                 --data-dir or DATA_DIR");
            vec![Finding::wrong(check, tr!("there is none at {path}", path = shown), to_do)]
        }
        Place::NoDirectory => {
            let to_do = tr!("name a directory with --data-dir or DATA_DIR");
            vec![Finding::wrong(check, tr!("{path} is no directory", path = shown), to_do)]
        }
        Place::Closed(why) => {
            let what =
                tr!("{path} cannot be looked at: {why}", path = shown, why = retold(why, spoken()));
            let to_do = tr!("run this as the user that the relay runs as, or as root");
            vec![Finding::wrong(check, what, to_do)]
        }
        Place::There(tree) => {
            let mut findings = vec![writable(&shown.to_string(), tree)];
            findings.extend(permissions(path, tree));
            findings.push(owner(path, tree));
            findings
        }
    }
}

fn writable(path: &str, tree: &Tree) -> Finding {
    match &tree.unwritable {
        None => Finding::well(Check::DataDir, path.to_owned()),
        Some(why) => {
            let what = tr!("{path} cannot be written to: {why}", path, why = retold(why, spoken()));
            let to_do = tr!(
                "give the directory to the user that the relay runs as (`chown -R`), or mount it \
                 writable"
            );
            Finding::wrong(Check::DataDir, what, to_do)
        }
    }
}

fn permissions(path: &Path, tree: &Tree) -> Vec<Finding> {
    let open = tree.entries.iter().filter(|it| it.is_private() && it.mode & OTHERS != 0);
    let (links, open): (Vec<&Entry>, Vec<&Entry>) = open.partition(|it| it.is_link);
    let mut findings: Vec<Finding> = links.into_iter().take(NAMED_MAX).map(open_link).collect();
    for entry in open.iter().take(NAMED_MAX) {
        let (name, mode) = (&entry.name, format!("{:03o}", entry.mode & 0o777));
        let what = tr!("{name} holds secrets and is open to others (mode {mode})", name, mode);
        let file = path.join(name);
        let to_do = format!("chmod 600 {}", file.display());
        findings.push(Finding::wrong(Check::Permissions, what, to_do));
    }
    if open.len() > NAMED_MAX {
        let what = tr!(
            "further files with secrets that are open to others: {count}",
            count = open.len() - NAMED_MAX
        );
        let to_do = format!("chmod -R go= {}", path.display());
        findings.push(Finding::wrong(Check::Permissions, what, to_do));
    }
    if tree.mode & OTHERS != 0 {
        let mode = format!("{:03o}", tree.mode & 0o777);
        let what = tr!("others may look into the directory (mode {mode})", mode);
        let to_do = format!("chmod 700 {}", path.display());
        findings.push(Finding::note(Check::Permissions, what).to_do(to_do));
    }
    if findings.is_empty() {
        findings.push(Finding::well(Check::Permissions, tr!("for its owner alone")));
    }
    findings
}

/// What a link leads to may be where modes cannot be changed, as the secrets of a container are.
fn open_link(entry: &Entry) -> Finding {
    let (name, mode) = (&entry.name, format!("{:03o}", entry.mode & 0o777));
    let what = tr!("{name} is a link to a file that is open to others (mode {mode})", name, mode);
    let to_do =
        tr!("give that file the mode 600; a secret of a container is given with the mode 0400");
    Finding::note(Check::Permissions, what).to_do(to_do)
}

fn owner(path: &Path, tree: &Tree) -> Finding {
    let (owner, user, path) = (tree.owner, tree.user, path.display());
    // What a link leads to is somebody else's on purpose.
    let strange = tree.entries.iter().filter(|it| it.owner != owner && !it.is_link);
    let strange: Vec<&Entry> = strange.collect();
    if !strange.is_empty() {
        let names: Vec<&str> =
            strange.iter().take(NAMED_MAX).map(|entry| entry.name.as_str()).collect();
        let what = tr!(
            "not all belongs to user {owner} as the directory does ({count}): {names}",
            count = strange.len(),
            owner,
            names = names.join(", ")
        );
        let to_do = format!("chown -R {owner} {path}");
        return Finding::wrong(Check::Owner, what, to_do);
    }
    if user != owner && user != ROOT {
        let what =
            tr!("the directory belongs to user {owner}, and this is user {user}", owner, user);
        let to_do = tr!("run commands as that user, or as root, who becomes that user");
        return Finding::wrong(Check::Owner, what, to_do);
    }
    Finding::well(Check::Owner, tr!("all belongs to user {owner}", owner))
}
