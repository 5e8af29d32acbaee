//! `crs top`: who is calling now.

use std::io::{self, IsTerminal, Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use clap::Args;
use relay_store::data_dir::DataDir;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::cli::terminal::{Column, Form, table, write};
use crate::cli::{Global, context, terminal};
use crate::live::{self, NoAnswer};
use crate::open_calls::{CallLive, Phase};
use crate::text::{retold, spoken, tr};
use crate::verbs::call::{self, CallView};

/// How often what is shown is renewed.
const EVERY: Duration = Duration::from_secs(1);
/// Clears the screen and begins at its top; what was printed before stays to be scrolled to.
const CLEAR: &str = "\x1b[H\x1b[J";
/// The width and height of a terminal that does not tell its own.
const USUAL_SIZE: (usize, usize) = (120, 40);
/// What stands above and below the calls on the screen.
const FRAME_LINES: usize = 4;

#[derive(Debug, Args)]
pub(super) struct Top {
    /// Show it once and end
    #[arg(long)]
    once: bool,
}

impl Top {
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let settings = context::load(global, [])?.settings;
        let dir = DataDir::open(&settings.data_dir)?;
        let form = global.form();
        if form == Form::Json || self.once || !io::stdout().is_terminal() {
            let calls = call::list(live::ask_calls(&dir)?);
            return form.answer(&calls, |calls| lines(calls, None));
        }
        watch(&dir).await
    }
}

/// Shows the calls until somebody presses `q`.
async fn watch(dir: &DataDir) -> anyhow::Result<ExitCode> {
    let mut typed = keys();
    let _single = SingleKeys::begin();
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => show(live::ask_calls(dir))?,
            Some(key) = typed.recv() => if matches!(key, b'q' | b'Q' | 3 | 4) { break },
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(calls: Result<Vec<CallLive>, NoAnswer>) -> anyhow::Result<()> {
    let (width, height) = size();
    let shown = match calls {
        Ok(calls) => {
            let calls = call::list(calls);
            let head = tr!("{count} calls now; q ends this", count = calls.len());
            let room = height.saturating_sub(FRAME_LINES).max(1);
            let rest = calls.len().saturating_sub(room);
            let more = if rest > 0 {
                "\n".to_owned() + &tr!("and {rest} more", rest)
            } else {
                String::new()
            };
            let first = &calls[..calls.len().min(room)];
            format!("{head}\n\n{}{more}", lines(first, Some(width)))
        }
        Err(NoAnswer::NoServer) => return Err(NoAnswer::NoServer.into()),
        // It may have been busy for a moment.
        Err(error) => retold(&error.to_string(), spoken()),
    };
    let _ = write!(io::stdout().lock(), "{CLEAR}");
    write(&shown).map(drop)
}

/// A table of the calls, no wider than the terminal if that has a width.
fn lines(calls: &[CallView], width: Option<usize>) -> String {
    use Column::{Number, Words};
    let columns = [
        Number(tr!("age")),
        Words(tr!("phase")),
        Words(tr!("key")),
        Words(tr!("owner")),
        Words(tr!("account")),
        Words(tr!("model")),
        Number(tr!("in")),
        Number(tr!("out")),
        Number(tr!("tries")),
        Words(tr!("client")),
        Words(tr!("address")),
        Words(tr!("call")),
    ];
    let name_chars = name_chars(width);
    let cut = |text: &str| terminal::cut(text, name_chars);
    let row = |call: &CallView| {
        vec![
            age(call.age_ms),
            phase(call.phase),
            cut(&call.key),
            cut(&call.owner),
            cut(call.account.as_deref().unwrap_or_default()),
            cut(&call.model),
            call.input_tokens.map(|tokens| tokens.to_string()).unwrap_or_default(),
            call.output_tokens.to_string(),
            call.attempts.to_string(),
            cut(&call.client),
            call.address.to_string(),
            call.id.to_string(),
        ]
    };
    let text = table(&columns, calls.iter().map(row).collect(), &tr!("nobody is calling"));
    match width {
        Some(width) => text.lines().map(|line| terminal::cut(line, width) + "\n").collect(),
        None => text,
    }
}

fn phase(phase: Phase) -> String {
    match phase {
        Phase::Waiting => tr!("waiting"),
        Phase::Asking => tr!("asking"),
        Phase::Streaming => tr!("streaming"),
    }
}

/// How long the five names of a line may be: they share what the other columns leave.
fn name_chars(width: Option<usize>) -> usize {
    const OTHERS: usize = 100;
    const NAMES: usize = 5;
    width.map_or(usize::MAX, |width| (width.saturating_sub(OTHERS) / NAMES).max(12))
}

fn age(millis: u64) -> String {
    let seconds = millis / 1_000;
    match seconds {
        0..60 => format!("{seconds}.{}s", millis % 1_000 / 100),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
    }
}

/// What is typed, byte by byte. The thread that reads ends with the program.
fn keys() -> mpsc::Receiver<u8> {
    let (sender, typed) = mpsc::channel(16);
    std::thread::spawn(move || {
        for byte in io::stdin().lock().bytes() {
            let Ok(byte) = byte else { return };
            if sender.blocking_send(byte).is_err() {
                return;
            }
        }
    });
    typed
}

/// Width and height of the terminal.
fn size() -> (usize, usize) {
    let read = || {
        let said = stty(&["size"])?;
        let (rows, columns) = said.trim().split_once(' ')?;
        let (rows, columns): (usize, usize) = (rows.parse().ok()?, columns.parse().ok()?);
        (rows > 0 && columns > 0).then_some((columns, rows))
    };
    read().unwrap_or(USUAL_SIZE)
}

/// Keys come one by one and unseen until this is dropped.
struct SingleKeys;

impl SingleKeys {
    fn begin() -> Self {
        stty(&["-icanon", "-echo"]);
        Self
    }
}

impl Drop for SingleKeys {
    fn drop(&mut self) {
        stty(&["icanon", "echo"]);
    }
}

/// Runs the program that every system has for its terminals; what it prints, if it is done.
fn stty(arguments: &[&str]) -> Option<String> {
    let mut stty = Command::new("stty");
    stty.args(arguments).stdin(Stdio::inherit()).stderr(Stdio::null());
    let done = stty.output().ok()?;
    done.status.success().then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use relay_core::clock::Timestamp;
    use relay_core::id::CallId;

    use super::*;
    fn view(owner: &str) -> CallView {
        let live = CallLive {
            id: CallId::new(Timestamp::from_seconds(1_800_000_000), [7; 10]),
            key: "lena".into(),
            owner: owner.into(),
            account: Some("main".into()),
            model: "claude-sonnet-4-6".into(),
            at: Timestamp::from_seconds(1_800_000_000),
            age_millis: 12_345,
            phase: Phase::Streaming,
            streamed: true,
            input_tokens: Some(42),
            output_tokens: 7,
            client: "claude_code".into(),
            attempts: 1,
            address: [127, 0, 0, 1].into(),
        };
        call::list(vec![live]).remove(0)
    }

    #[test]
    fn a_line_tells_who_what_and_how_far() {
        insta::assert_snapshot!(lines(&[view("Lena")], None), @r"
          age  phase      key   owner  account  model              in  out  tries  client       address    call
        12.3s  streaming  lena  Lena   main     claude-sonnet-4-6  42    7      1  claude_code  127.0.0.1  01a3185c-5000-7707-8707-070707070707
        ");
        assert_eq!(lines(&[], None), "nobody is calling");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let text = lines(&[view(&"a very long name of somebody ".repeat(9))], Some(100));
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert!(text.contains("12.3s") && text.contains('…'), "{text}");
    }

    #[test]
    fn ages_are_short() {
        assert_eq!([age(999), age(61_000), age(7_380_000)], ["0.9s", "1m01s", "2h03m"]);
    }
}
