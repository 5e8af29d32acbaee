//! `crs doctor`: says in words what is wrong and what to do. It gathers, `verbs::doctor` judges.
//!
//! It changes nothing, and whatever it cannot look at becomes a finding: a doctor that dies of
//! what it is to diagnose helps nobody.

mod ask;
mod machine;
mod port;
mod records;
mod report;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;
use relay_core::clock::{Clock, SystemClock};
use relay_store::data_dir::DataDir;

use self::records::Records;
use crate::cli::{Global, context, owner};
use crate::config::{self, Layers, Loaded, Mistakes, Settings};
use crate::live::SetLive;
use crate::text::{spoken, tr};
use crate::verbs::doctor::directory::{self, Place};
use crate::verbs::doctor::network::Strangers;
use crate::verbs::doctor::{
    Check, Finding, Report, State, clock, machine as judge_machine, network, settings,
};

/// Flags of `crs doctor`.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Ask each account for a few words, which costs a few tokens, not for its list of models
    #[arg(long)]
    calls: bool,
}

/// Whether a program reads what the doctor finds. That is not translated, and all of it is words.
pub(super) fn is_read_by_a_program(arguments: &[OsString]) -> bool {
    let has = |word: &str| arguments.iter().skip(1).any(|argument| argument == word);
    has("doctor") && has("--json")
}

impl Doctor {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let now = SystemClock.now();
        let mut findings = Vec::new();
        let settings = read_settings(global, &mut findings);

        let absolute = std::path::absolute(&settings.data_dir);
        let path = &absolute.unwrap_or_else(|_| settings.data_dir.clone());
        let mut place = machine::place(path);
        if let Place::There(_) = place {
            // Returns only if this process is the owner already, or cannot become it.
            if let Err(error) = owner::become_owner(global, path) {
                let why = crate::text::chain(&error, spoken());
                findings.push(Finding::note(Check::Owner, why));
            }
            place = machine::place(path);
        }
        findings.extend(directory::judge(path, &place));
        let dir = DataDir::open(path).ok().filter(|_| matches!(place, Place::There(_)));
        let records = if let Some(dir) = &dir {
            findings.extend(machine::space(dir));
            Some(Records::look(&settings, dir, self.ask_for(), now).await)
        } else {
            findings.extend(without_directory());
            None
        };
        // A running relay goes by what it was started with, whatever is set here.
        let set = records.as_ref().and_then(|records| records.set.clone());
        let set = set.unwrap_or_else(|| SetLive::of(&settings, now));
        findings.extend(place_findings(&settings, &set, records.as_ref()));
        let (name, local) = (set.zone, set.local_time);
        findings.push(settings::judge_zone(&settings::Zone { name, local }));
        let (newest_record, ahead_millis) = records.map_or_else(Default::default, |records| {
            findings.extend(records.findings);
            (records.newest_record, records.ahead_millis)
        });
        findings.push(clock::judge(&clock::Facts { now, newest_record, ahead_millis }));

        let report = Report::new(findings);
        global.form().answer(&report, report::text)?;
        let is_well = report.wrong == 0;
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Doctor {
    const fn ask_for(&self) -> ask::For {
        if self.calls { ask::For::Words } else { ask::For::Models }
    }
}

/// The settings; where some are mistaken, with the usual in their place.
fn read_settings(global: &Global, findings: &mut Vec<Finding>) -> Settings {
    let layers = || context::layers(global, []);
    let full = match layers() {
        Ok(full) => full,
        Err(error) => {
            let what = crate::text::chain(&error, spoken());
            let to_do = tr!("run this in a directory that exists, with a path in UTF-8");
            findings.push(Finding::wrong(Check::Settings, what, to_do));
            Layers::default()
        }
    };
    match Settings::load(full) {
        Ok(Loaded { settings, warnings }) => {
            findings.extend(settings::judge(&[], &warnings));
            settings
        }
        Err(Mistakes(mistakes)) => {
            findings.extend(settings::judge(&mistakes, &[]));
            let right = layers().map(|layers| without_mistakes(&layers)).unwrap_or_default();
            let loaded = Settings::load(right).or_else(|_| Settings::load(Layers::default()));
            loaded.expect("what nobody set is right").settings
        }
    }
}

/// The layers without every value that is a mistake by itself.
fn without_mistakes(layers: &Layers) -> Layers {
    let mut right = Layers::default();
    for (name, origin) in layers.names() {
        let Some((value, _)) = layers.get(name) else { continue };
        let mut alone = Layers::default();
        alone.add(name, value.clone(), origin.clone());
        if Settings::load(alone).is_ok() {
            right.add(name, value.clone(), origin.clone());
        }
    }
    right
}

/// What cannot be looked at where there is no data directory.
fn without_directory() -> Vec<Finding> {
    use Check as C;
    let checks = [C::Disk, C::MasterKey, C::Database, C::Journal, C::Server, C::Accounts, C::Keys];
    let skipped = |check| Finding::skipped(check, tr!("the data directory cannot be looked at"));
    checks.map(skipped).to_vec()
}

/// Where the relay listens and on what machine.
fn place_findings(settings: &Settings, set: &SetLive, records: Option<&Records>) -> Vec<Finding> {
    let server = records.map_or(&network::Server::None, |records| &records.server);
    let (port, process) = match server {
        network::Server::None => {
            let address = (settings.host, settings.port).into();
            (network::judge_port(address, &port::look(address)), None)
        }
        network::Server::Running { address: Some(address), process, .. } => {
            (network::judge_listening(*address), *process)
        }
        network::Server::Running { process, .. } | network::Server::Mute { process } => {
            let why = tr!("the relay does not say where it listens");
            (Finding::skipped(Check::Port, why), *process)
        }
    };
    let host = match server {
        network::Server::Running { address: Some(address), .. } => address.ip(),
        _ => settings.host,
    };
    let strangers = records.map_or(Strangers::Unseen, |records| records.strangers);
    let (files, whose) = machine::open_files(process);
    vec![
        port,
        network::judge_trusted(&set.trusted, host, strangers),
        judge_machine::judge_open_files(files, whose),
        judge_machine::judge_memory(config::memory::usable(process), set.body_memory_bytes),
    ]
}

/// The word for a state.
fn word(state: State) -> String {
    match state {
        State::Well => tr!("well"),
        State::Note => tr!("noted"),
        State::Wrong => tr!("WRONG"),
        State::Skipped => tr!("skip"),
    }
}
