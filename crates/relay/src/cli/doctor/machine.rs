//! Facts of the machine: the data directory, its disk, open files, memory.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use relay_store::data_dir::DataDir;
use rustix::fs::{Access, AtFlags, CWD, StatVfsMountFlags};
use rustix::process::Resource;

use crate::text::tr;
use crate::verbs::doctor::directory::{Entry, Place, Tree};
use crate::verbs::doctor::machine::Whose;
use crate::verbs::doctor::space::{self, Kind, Space};
use crate::verbs::doctor::{Check, Finding};

/// Files of the data directory that are looked at.
const ENTRIES_MAX: usize = 10_000;
/// Directories below the data directory whose files are looked at too.
const BELOW: [&str; 3] = ["credentials", "journal", "logs"];

/// What there is at the path of the data directory.
pub(super) fn place(path: &Path) -> Place {
    let found = match fs::metadata(path) {
        Ok(found) if found.is_dir() => found,
        Ok(_) => return Place::NoDirectory,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Place::Missing,
        Err(error) => return Place::Closed(error.to_string()),
    };
    let entries = match entries(path) {
        Ok(entries) => entries,
        Err(error) => return Place::Closed(error.to_string()),
    };
    Place::There(Tree {
        mode: found.permissions().mode(),
        owner: found.uid(),
        user: rustix::process::geteuid().as_raw(),
        unwritable: unwritable(path),
        entries,
    })
}

/// The room on the disk of a data directory, judged.
pub(super) fn space(dir: &DataDir) -> Vec<Finding> {
    match look_at_space(dir.root()) {
        Ok(found) => space::judge(&found),
        Err(error) => {
            let why = tr!("the system does not tell: {why}", why = error);
            vec![Finding::skipped(Check::Disk, why)]
        }
    }
}

/// How many files a process may open, and whose limit that is; `None` is no limit.
pub(super) fn open_files(server: Option<u32>) -> (Option<u64>, Whose) {
    let of_server = server.and_then(|process| {
        let limits = fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        Some(line.split_whitespace().next()?.parse().ok())
    });
    match of_server {
        Some(limit) => (limit, Whose::Server),
        None => (rustix::process::getrlimit(Resource::Nofile).current, Whose::Command),
    }
}

fn entries(root: &Path) -> std::io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    list(root, "", &mut found)?;
    for below in BELOW {
        // One that is not there has nothing to be looked at.
        let _ = list(&root.join(below), &format!("{below}/"), &mut found);
    }
    Ok(found)
}

fn list(directory: &Path, prefix: &str, found: &mut Vec<Entry>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if found.len() >= ENTRIES_MAX {
            break;
        }
        let is_link = entry.file_type().is_ok_and(|it| it.is_symlink());
        // A link says nothing of who may read what it leads to. One that leads nowhere is all there
        // is; a file that went away meanwhile is no fault.
        let Ok(metadata) = fs::metadata(entry.path()).or_else(|_| entry.metadata()) else {
            continue;
        };
        let leads_nowhere = metadata.is_symlink();
        found.push(Entry {
            name: format!("{prefix}{}", entry.file_name().to_string_lossy()),
            mode: if leads_nowhere { 0 } else { metadata.permissions().mode() },
            owner: metadata.uid(),
            is_link,
        });
    }
    Ok(())
}

/// Why this user cannot write in a directory, or to the database in it.
fn unwritable(path: &Path) -> Option<String> {
    let may = |path: &Path, access| {
        rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS).map_err(|error| error.to_string())
    };
    let database = path.join("crs.db");
    let denied = may(path, Access::WRITE_OK | Access::EXEC_OK).err();
    denied.or_else(|| database.exists().then(|| may(&database, Access::WRITE_OK).err()).flatten())
}

fn look_at_space(path: &Path) -> rustix::io::Result<Space> {
    let found = rustix::fs::statvfs(path)?;
    Ok(Space {
        free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        free_files: found.f_favail,
        files: found.f_files,
        kind: kind(path)?,
        read_only: found.f_flag.contains(StatVfsMountFlags::RDONLY),
    })
}

#[cfg(target_os = "linux")]
fn kind(path: &Path) -> rustix::io::Result<Kind> {
    Ok(Kind::of_magic(rustix::fs::statfs(path)?.f_type))
}

#[cfg(not(target_os = "linux"))]
fn kind(_: &Path) -> rustix::io::Result<Kind> {
    Ok(Kind::Local)
}
