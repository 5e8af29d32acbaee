//! Real proxies: tinyproxy (HTTP) and microsocks (SOCKS 5), each a process of its own.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use super::LONG;

/// A proxy in a process, which ends with it.
pub(crate) struct RealProxy {
    pub(crate) port: u16,
    child: Child,
    _settings: Option<tempfile::TempDir>,
}

impl RealProxy {
    /// tinyproxy with these further lines of settings.
    pub(crate) async fn tinyproxy(lines: &[&str]) -> Self {
        let port = free_port().await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tinyproxy.conf");
        let settings = format!(
            "Port {port}\nListen 127.0.0.1\nLogLevel Info\nMaxClients 20\nTimeout 600\n{}\n",
            lines.join("\n")
        );
        fs::write(&path, settings).unwrap();
        let mut command = Command::new(program("tinyproxy"));
        command.arg("-d").arg("-c").arg(&path).stdout(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let listening = async {
            while let Some(line) = said.next_line().await.unwrap() {
                if line.contains("Accepting connections") {
                    return true;
                }
            }
            false
        };
        assert!(tokio::time::timeout(LONG, listening).await.unwrap(), "tinyproxy did not start");
        // It must not stand still because nobody reads what it says.
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        Self { port, child, _settings: Some(folder) }
    }

    /// microsocks, which wants this user and password if there are any.
    pub(crate) async fn microsocks(login: Option<(&str, &str)>) -> Self {
        let port = free_port().await;
        let mut command = Command::new(program("microsocks"));
        command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
        if let Some((user, password)) = login {
            command.args(["-u", user, "-P", password]);
        }
        command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        // It does not say when it listens.
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(child.try_wait().unwrap().is_none(), "microsocks ended at once");
            assert!(start.elapsed() < LONG, "microsocks does not listen");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Self { port, child, _settings: None }
    }

    /// Ends the process without a farewell, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// A port that nobody listens on.
pub(crate) async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// Where `scripts/setup.sh` unpacked it, or where the machine has it.
fn program(name: &str) -> PathBuf {
    // target/debug/deps/it-0123456789abcdef
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let tools =
        std::env::var_os("CRS_TOOLS_DIR").map_or_else(|| target.join("tools"), PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(tools.join("proxies/usr/bin"))
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .unwrap_or_else(|| panic!("{name} is missing: run `scripts/setup.sh check`"))
}
