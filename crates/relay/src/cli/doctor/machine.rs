//! Facts of the machine: the data directory, its disk, open files, memory.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

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
/// Where Linux tells of groups of processes.
const CGROUPS: &str = "/sys/fs/cgroup";

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

/// The memory that a process may use: its container's, or the machine's.
pub(super) fn memory(server: Option<u32>) -> u64 {
    let machine = rustix::system::sysinfo();
    let total = u64::from(machine.mem_unit) * machine.totalram;
    let process = server.map_or("self".to_owned(), |process| process.to_string());
    let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).unwrap_or_default();
    let limits = groups.lines().flat_map(limit_files);
    let limit = |file: PathBuf| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    limits.filter_map(limit).fold(total, u64::min)
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
        // A file that went away meanwhile is no fault.
        let Ok(metadata) = entry.metadata() else { continue };
        found.push(Entry {
            name: format!("{prefix}{}", entry.file_name().to_string_lossy()),
            mode: metadata.permissions().mode(),
            owner: metadata.uid(),
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

/// The files in which the limits of a group of processes and of those around it may stand.
fn limit_files(line: &str) -> Vec<PathBuf> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (root, file) = match controllers {
        "" => (CGROUPS.to_owned(), "memory.max"),
        _ if controllers.split(',').any(|it| it == "memory") => {
            (format!("{CGROUPS}/memory"), "memory.limit_in_bytes")
        }
        _ => return Vec::new(),
    };
    let group = Path::new(group.trim_start_matches('/'));
    group.ancestors().map(|group| Path::new(&root).join(group).join(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_a_group_are_its_own_and_those_around_it() {
        let files = limit_files("0::/system.slice/crs.service");
        let expected = ["system.slice/crs.service/", "system.slice/", ""]
            .map(|group| PathBuf::from(format!("{CGROUPS}/{group}memory.max")));
        assert_eq!(files, expected);
        let older = limit_files("9:cpu,memory:/a");
        assert_eq!(older[0], Path::new(CGROUPS).join("memory/a/memory.limit_in_bytes"));
        assert_eq!(limit_files("3:pids:/a"), Vec::<PathBuf>::new());
        assert!(memory(None) > 0);
    }
}
