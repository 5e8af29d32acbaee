//! What the system says of the process. What it does not say is left out.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use relay_core::clock::Timestamp;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::exposition::Page;
use super::units::seconds;

/// What the system says of the process, by the names that every program has for it.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) started: Timestamp,
}

impl Collector for Process {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let page = &mut Page(encoder);
        let cpu = [([], cpu_seconds())];
        page.counters("cpu_seconds", "Time of processors that was used, in seconds", cpu)?;
        let resident = resident_bytes().map(|bytes| ([], bytes));
        page.gauges("resident_memory_bytes", "Memory in use, in bytes", resident)?;
        let open = open_files().map(|count| ([], count));
        page.gauges("open_fds", "Open files and connections", open)?;
        let most = getrlimit(Resource::Nofile).current.map(|count| ([], count));
        page.gauges("max_fds", "Files and connections that may be open", most)?;
        let started = [([], seconds(self.started))];
        page.gauges("start_time_seconds", "When the program started, in Unix time", started)
    }
}

#[expect(clippy::cast_precision_loss, reason = "centuries of nanoseconds fit well enough")]
fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// Only Linux says it in a file.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

/// One of them is the directory that is read for it.
fn open_files() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1))
}
