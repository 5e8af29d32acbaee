//! The fake provider as a program, for real clients and for measurements.
//!
//! `fake-provider [--port N] [--fast]` prints `listening on http://127.0.0.1:PORT` and serves
//! until it is stopped. What users may write into their text, and the log over HTTP, is told by
//! `--help`.

use std::io::{self, Write};
use std::process::ExitCode;

use relay_testkit::{FakeProvider, FastProvider};

const HELP: &str = "\
fake-provider [--port N] [--fast]

Speaks the protocols of Anthropic, OpenAI, ChatGPT (Codex) and Google on 127.0.0.1, by the path of
a request. In the text of the last message of the user:
  [[say TEXT]]           answer exactly this        [[long N]]      about N characters
  [[tool NAME {json}]]   call this tool             [[think]]       think first
  [[stop max]]           end for max_tokens         [[searches N]]  bill N searches
  [[refuse TEXT]]        decline                    [[cached N]]    N input tokens were cached
  [[slow MS]]            wait between events        [[hang]]        never answer
  [[paced COUNT MS]]     COUNT deltas, MS apart     [[call N]]      a marker for the log
  [[status CODE [retry-after=S] [key=K] [MESSAGE]]] refuse; with key, only that credential
  [[error-event [N]]]    an error event after N events of the stream
GET /__requests and GET /__served tell what was seen and served; POST /__reset forgets it.

Signing in, once one of these was asked for; bodies are JSON:
  POST /__issue {owner, lifetime_ms, realm}   a login's first tokens, as `crs account add` reads
                                       them; realm: claude (usual), chatgpt, google
  POST /__issue {owner, setup: true}   a login that is one long-lived token
  POST /__agree {owner, url}           agrees in the browser; answers {pasted: CODE#STATE}
  POST /__refreshing {owner, do}       do: lose-next, refuse, fail, well, revoke-access
  GET  /__refreshes                    {refreshes: [...], reused}
Tokens are refreshed, and codes exchanged, at POST /v1/oauth/token, for ChatGPT at /oauth/token, for
Google at /token.

--fast: canned answers at the least cost; only [[paced COUNT MS]], whose deltas say when they were
sent, GET /__served, and POST /__failing {KEY=STATUS, KEY=reset or KEY=well, as plain text}.
";

/// What the command line asks for.
struct Wanted {
    port: u16,
    fast: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut wanted = Wanted { port: 0, fast: false };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--fast" => wanted.fast = true,
            "--port" => match arguments.next().and_then(|port| port.parse().ok()) {
                Some(port) => wanted.port = port,
                None => return wrong_use(),
            },
            "--help" => return tell(HELP),
            _ => return wrong_use(),
        }
    }
    match serve(&wanted).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "cannot listen on port {}: {error}", wanted.port);
            ExitCode::FAILURE
        }
    }
}

async fn serve(wanted: &Wanted) -> io::Result<()> {
    if wanted.fast {
        let provider = FastProvider::start_on(wanted.port).await?;
        announce(&provider.base_url())?;
        std::future::pending().await
    } else {
        let provider = FakeProvider::start_on(wanted.port).await?;
        announce(&provider.base_url())?;
        std::future::pending().await
    }
}

fn announce(base_url: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "listening on {base_url}")?;
    stdout.flush()
}

fn tell(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn wrong_use() -> ExitCode {
    let _ = io::stderr().write_all(HELP.as_bytes());
    ExitCode::from(2)
}
