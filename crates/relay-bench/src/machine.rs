//! The machine that figures were taken on, without its name.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// What figures depend on.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    memory_gb: u64,
    kernel: String,
    nginx: String,
    commit: String,
}

impl Machine {
    /// This one.
    pub(crate) fn read(nginx: &Path) -> Self {
        let file = |path| fs::read_to_string(path).unwrap_or_default();
        let memory_kb = field(&file("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse();
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: field(&file("/proc/cpuinfo"), "model name"),
            memory_gb: memory_kb.map_or(0, |kilobytes: u64| kilobytes.div_ceil(1 << 20)),
            kernel: file("/proc/sys/kernel/osrelease").trim().to_owned(),
            nginx: version_of(nginx),
            commit: commit(),
        }
    }

    /// As a line for people.
    pub(crate) fn line(&self) -> String {
        let Self { cores, processor, memory_gb, kernel, nginx, commit } = self;
        let mut line = format!("Commit {commit}; {cores} cores");
        if !processor.is_empty() {
            let _ = write!(line, " ({processor})");
        }
        let _ = write!(line, ", {memory_gb} GB of memory, Linux {kernel}, nginx {nginx}.");
        line
    }
}

/// The first value of a field in lines of `name : value`.
fn field(text: &str, name: &str) -> String {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(key, _)| key.trim() == name);
    found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

fn version_of(nginx: &Path) -> String {
    let output = Command::new(nginx).arg("-v").output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
    let said = said.unwrap_or_default();
    said.trim().rsplit_once('/').map_or("unknown", |(_, version)| version).to_owned()
}

/// The commit that was measured; with a mark if it had been changed.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let said = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| said.trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=10", "HEAD"]) else { return "unknown".into() };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    if changed.is_some_and(|files| !files.is_empty()) {
        format!("{commit} with changes")
    } else {
        commit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_of_a_field_counts() {
        let text = "processor\t: 0\nmodel name\t: Fast: one\nprocessor\t: 1\nmodel name\t: Two\n";
        assert_eq!(field(text, "model name"), "Fast: one");
        assert_eq!(field(text, "flags"), "");
    }
}
