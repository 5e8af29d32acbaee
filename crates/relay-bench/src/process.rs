//! The processes that are measured: started, read from outside, and ended with whoever holds them.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

use anyhow::{Context, bail};
use nix::time::clock_getcpuclockid;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

/// What a program prints once it serves.
const LISTENING: &str = "listening on http://";
/// How long a process may take to end once it is asked to.
const END_WITHIN: Duration = Duration::from_secs(40);
/// Between two looks at whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Open files that the largest measurement needs: two connections a stream, and some.
const OPEN_FILES: u64 = 20_000;

/// A process that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Held open: a program that prints into a closed pipe fails.
    stdout: BufReader<ChildStdout>,
}

/// What a process holds in memory, in MB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Memory {
    /// Resident.
    pub(crate) resident: f64,
    /// Resident, with what is shared counted by its share.
    pub(crate) proportional: f64,
    /// The most that was ever resident.
    pub(crate) peak: f64,
}

impl Process {
    /// Starts a program, and returns when it says where it listens, with the time that took; what
    /// it says of itself goes to `log`.
    pub(crate) fn listening(
        command: &mut Command,
        log: Stdio,
    ) -> anyhow::Result<(Self, SocketAddr, Duration)> {
        let begun = Instant::now();
        let mut process = Self::start(command, log)?;
        loop {
            let mut line = String::new();
            if process.stdout.read_line(&mut line)? == 0 {
                bail!("{} ended before it listened", command.get_program().display());
            }
            if let Some(address) = line.trim().strip_prefix(LISTENING) {
                return Ok((process, address.parse()?, begun.elapsed()));
            }
        }
    }

    /// Starts a program.
    pub(crate) fn start(command: &mut Command, log: Stdio) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let stdout = child.stdout.take().context("a process has no standard output")?;
        Ok(Self { child, stdout: BufReader::new(stdout) })
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The first process that it started.
    pub(crate) fn first_child(&self) -> anyhow::Result<u32> {
        let id = self.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        let first = children.split_whitespace().next().context("it has started no process")?;
        Ok(first.parse()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = kill_process(pid, Signal::TERM);
        let until = Instant::now() + END_WITHIN;
        while Instant::now() < until {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time of a whole process so far: user and system, of threads that ended too. Read from
/// the process's own clock, as the ticks of `/proc/PID/stat` are too coarse for a short window.
pub(crate) fn cpu(process: u32) -> anyhow::Result<Duration> {
    let pid = nix::unistd::Pid::from_raw(process.try_into()?);
    let spent = clock_getcpuclockid(pid)?.now()?;
    Ok(spent.into())
}

/// What a process holds in memory now.
pub(crate) fn memory(process: u32) -> anyhow::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let shares = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let read = |text: &str, name| field_mb(text, name).with_context(|| format!("no {name}"));
    Ok(Memory {
        resident: read(&status, "VmRSS")?,
        proportional: read(&shares, "Pss")?,
        peak: read(&status, "VmHWM")?,
    })
}

/// A field of `/proc/PID/status` and the like, whose kB are given in MB.
fn field_mb(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kilobytes: u32 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(f64::from(kilobytes) / 1_024.0)
}

/// Lets this process and those that it starts open as many files as the measurements need, or as
/// the system allows; tells how many.
pub(crate) fn raise_open_files() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.unwrap_or(OPEN_FILES).min(OPEN_FILES);
    let wanted = limit.current.map_or(allowed, |current| current.max(allowed));
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum })?;
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "VmRSSx:\t1 kB\nVmHWM:\t  20480 kB\nVmRSS:\t   512 kB\nThreads:\t4\n";
        assert_eq!(field_mb(text, "VmHWM"), Some(20.0));
        assert_eq!(field_mb(text, "VmRSS"), Some(0.5));
        assert_eq!(field_mb(text, "Threads"), None);
    }

    #[test]
    fn what_a_process_spends_and_holds_is_seen() {
        let own = std::process::id();
        let before = cpu(own).unwrap();
        let work: u64 = (0..20_000_000_u64).map(std::hint::black_box).sum();
        assert!(std::hint::black_box(work) > 0);
        assert!(cpu(own).unwrap() > before);
        let memory = memory(own).unwrap();
        assert!(memory.resident > 0.0 && memory.proportional <= memory.peak, "{memory:?}");
    }
}
