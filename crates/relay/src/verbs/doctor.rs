//! What is wrong with a relay, and what to do: judgements over facts that the caller gathered.
//!
//! Every check makes findings out of facts and a time; none looks at anything itself, so each can
//! be tried on facts that no machine at hand has.

pub mod accounts;
pub mod clock;
pub mod database;
pub mod directory;
pub mod journal;
pub mod machine;
pub mod master_key;
pub mod network;
pub mod settings;
pub mod space;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::text::tr;

/// What a finding is about, in the order in which it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// What is set.
    Settings,
    /// In which zone days begin.
    TimeZone,
    /// The machine's clock.
    Clock,
    /// Where the relay keeps its data.
    DataDir,
    /// Who may read it.
    Permissions,
    /// Whose it is.
    Owner,
    /// The room on its disk.
    Disk,
    /// The kind of its file system.
    FileSystem,
    /// The key that secrets are sealed under.
    MasterKey,
    /// The file with the first password.
    FirstPassword,
    /// The records.
    Database,
    /// The usage journal.
    Journal,
    /// The running relay.
    Server,
    /// Where it listens, or would.
    Port,
    /// Whose word about clients' addresses is taken.
    TrustedProxies,
    /// How many connections the system allows.
    OpenFiles,
    /// How much memory it allows.
    Memory,
    /// What clients are given.
    Keys,
    /// The upstream accounts together.
    Accounts,
    /// One upstream account.
    Account,
}

/// How it stands with what was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is as it should be.
    Well,
    /// It works, and somebody may want to know.
    Note,
    /// It does not work, or is dangerous.
    Wrong,
    /// It could not be looked at.
    Skipped,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub check: Check,
    /// How it stands.
    pub state: State,
    /// What was found, in words; of what was skipped, why.
    pub what: String,
    /// What a person can do about it.
    pub what_to_do: Option<String>,
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// One after the other, those that belong together side by side.
    pub findings: Vec<Finding>,
    /// How many of them are wrong.
    pub wrong: usize,
}

/// Checks that are shown together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Settings and time.
    Settings,
    /// The data directory and its disk.
    Directory,
    /// What stands in the directory.
    Records,
    /// The server and the machine that it runs on.
    Server,
    /// Accounts and keys.
    Accounts,
}

impl Check {
    /// The checks that it is shown with.
    pub const fn group(self) -> Group {
        match self {
            Self::Settings | Self::TimeZone | Self::Clock => Group::Settings,
            Self::DataDir | Self::Permissions | Self::Owner | Self::Disk | Self::FileSystem => {
                Group::Directory
            }
            Self::MasterKey | Self::FirstPassword | Self::Database | Self::Journal => {
                Group::Records
            }
            Self::Server | Self::Port | Self::TrustedProxies | Self::OpenFiles | Self::Memory => {
                Group::Server
            }
            Self::Keys | Self::Accounts | Self::Account => Group::Accounts,
        }
    }

    /// Its name for people.
    pub fn label(self) -> String {
        match self {
            Self::Settings => tr!("settings"),
            Self::TimeZone => tr!("time zone"),
            Self::Clock => tr!("clock"),
            Self::DataDir => tr!("directory"),
            Self::Permissions => tr!("permissions"),
            Self::Owner => tr!("file owner"),
            Self::Disk => tr!("disk"),
            Self::FileSystem => tr!("file system"),
            Self::MasterKey => tr!("master key"),
            Self::FirstPassword => tr!("first password"),
            Self::Database => tr!("database"),
            Self::Journal => tr!("journal"),
            Self::Server => tr!("server"),
            Self::Port => tr!("port"),
            Self::TrustedProxies => tr!("trusted proxies"),
            Self::OpenFiles => tr!("open files"),
            Self::Memory => tr!("memory"),
            Self::Keys => tr!("keys"),
            Self::Accounts => tr!("accounts"),
            Self::Account => tr!("account"),
        }
    }
}

impl Group {
    /// Its title for people.
    pub fn title(self) -> String {
        match self {
            Self::Settings => tr!("Settings and time"),
            Self::Directory => tr!("Data directory"),
            Self::Records => tr!("What stands in it"),
            Self::Server => tr!("Server and machine"),
            Self::Accounts => tr!("Accounts and keys"),
        }
    }
}

impl Finding {
    /// It is as it should be.
    pub fn well(check: Check, what: String) -> Self {
        Self { check, state: State::Well, what, what_to_do: None }
    }

    /// It works, and somebody may want to know.
    pub fn note(check: Check, what: String) -> Self {
        Self { check, state: State::Note, what, what_to_do: None }
    }

    /// It does not work, and this can be done.
    pub fn wrong(check: Check, what: String, to_do: String) -> Self {
        Self { check, state: State::Wrong, what, what_to_do: Some(to_do) }
    }

    /// It could not be looked at, for this reason.
    pub fn skipped(check: Check, why: String) -> Self {
        Self { check, state: State::Skipped, what: why, what_to_do: None }
    }

    /// With what can be done about it.
    #[must_use]
    pub fn to_do(mut self, to_do: String) -> Self {
        self.what_to_do = Some(to_do);
        self
    }
}

impl Report {
    /// What all checks found.
    pub fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.check as u8);
        let wrong = findings.iter().filter(|finding| finding.state == State::Wrong).count();
        Self { findings, wrong }
    }
}

/// A size for people.
pub(in crate::verbs::doctor) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1_024 {
        return format!("{count} B");
    }
    let mut tenths = count.saturating_mul(10) / 1_024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1_024;
        unit += 1;
    }
    if tenths < 100 {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    } else {
        format!("{} {}", tenths / 10, UNITS[unit])
    }
}

/// A span for people, to about two digits.
pub(in crate::verbs::doctor) fn span(span: std::time::Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let seconds = span.as_secs();
    if seconds < 2 * MINUTE {
        tr!("{seconds} s", seconds)
    } else if seconds < 2 * HOUR {
        tr!("{minutes} min", minutes = seconds / MINUTE)
    } else if seconds < 2 * DAY {
        tr!("{hours} h", hours = seconds / HOUR)
    } else {
        tr!("{days} days", days = seconds / DAY)
    }
}
