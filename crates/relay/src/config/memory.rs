//! How much memory a process may use: the machine's, or less where a group of processes that it
//! is in (a container, a service of systemd) is limited.

use std::fs;
use std::path::{Path, PathBuf};

/// Where Linux tells of groups of processes.
const CGROUPS: &str = "/sys/fs/cgroup";

/// The memory that a process, by default this one, may use.
pub fn usable(process: Option<u32>) -> u64 {
    let machine = rustix::system::sysinfo();
    let total = u64::from(machine.mem_unit) * machine.totalram;
    let process = process.map_or("self".to_owned(), |process| process.to_string());
    let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).unwrap_or_default();
    least_limit(&groups, Path::new(CGROUPS)).map_or(total, |limit| limit.min(total))
}

/// The least limit of the groups that a process says it is in, below the directory of all groups.
fn least_limit(groups: &str, root: &Path) -> Option<u64> {
    // One without a limit says "max", and in the older kind a number beyond every machine's.
    let limit = |file: PathBuf| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    groups.lines().flat_map(|line| limit_files(line, root)).filter_map(limit).min()
}

/// The files in which the limits of a group and of those around it may stand. In a container the
/// directory of all groups may begin at its own group, whatever that is called outside.
fn limit_files(line: &str, root: &Path) -> Vec<PathBuf> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (root, file) = match controllers {
        "" => (root.to_owned(), "memory.max"),
        _ if controllers.split(',').any(|it| it == "memory") => {
            (root.join("memory"), "memory.limit_in_bytes")
        }
        _ => return Vec::new(),
    };
    let group = Path::new(group.trim_start_matches('/'));
    group.ancestors().map(|group| root.join(group).join(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_a_group_are_its_own_and_those_around_it() {
        let root = Path::new(CGROUPS);
        let files = limit_files("0::/system.slice/crs.service", root);
        let expected = ["system.slice/crs.service/", "system.slice/", ""]
            .map(|group| root.join(format!("{group}memory.max")));
        assert_eq!(files, expected);
        let older = limit_files("9:cpu,memory:/a", root);
        assert_eq!(older[0], root.join("memory/a/memory.limit_in_bytes"));
        assert_eq!(limit_files("3:pids:/a", root), Vec::<PathBuf>::new());
        assert!(usable(None) > 0);
    }

    #[test]
    fn a_service_is_limited_by_the_least_limit_around_it() {
        let root = tempfile::tempdir().expect("a directory");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        };
        let service = "0::/system.slice/crs.service\n";
        assert_eq!(least_limit(service, root.path()), None);
        write("system.slice/crs.service/memory.max", "max\n");
        assert_eq!(least_limit(service, root.path()), None);
        write("system.slice/memory.max", "536870912\n");
        assert_eq!(least_limit(service, root.path()), Some(512 << 20));
        write("system.slice/crs.service/memory.max", "268435456\n");
        assert_eq!(least_limit(service, root.path()), Some(256 << 20));

        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        write("memory/a/memory.limit_in_bytes", "1048576\n");
        let both = format!("9:name=systemd:/\n4:memory:/a/b\n{service}");
        assert_eq!(least_limit(&both, root.path()), Some(1 << 20));
        // As a container sees it whose name outside is not known inside.
        write("memory.max", "2048\n");
        assert_eq!(least_limit("0::/../of/the/host", root.path()), Some(2_048));
    }
}
