//! How soon the relay is ready: from its start until it says that it listens, and answers.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::Bench;
use crate::answer::ask;
use crate::figures::Figures;
use crate::report::Table;
use crate::stand::Relay;

/// Keys that one command gives out.
const KEYS_EACH: u32 = 500;
/// What asks whether the relay is well.
const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nhost: relay\r\n\r\n";

pub(super) fn run(bench: &Bench, figures: &mut Figures) -> anyhow::Result<Vec<Table>> {
    let folder = tempfile::Builder::new().prefix("crs-bench-").tempdir()?;
    for number in 0..bench.plan.starts {
        started(bench, &folder.path().join(format!("first-{number}")), "first", figures)?;
    }
    let data = folder.path().join("first-0");
    for _ in 0..bench.plan.starts {
        started(bench, &data, "later", figures)?;
    }
    for batch in 0..bench.plan.key_batches {
        Relay::add_keys(&bench.programs, &data, &format!("batch-{batch}"), KEYS_EACH)?;
    }
    let keys = (bench.plan.key_batches * KEYS_EACH).to_string();
    for _ in 0..bench.plan.starts {
        started(bench, &data, &keys, figures)?;
    }

    let mut table = Table::new(
        "Start",
        "Milliseconds from the start of the process until it says that it listens, and until \
         `GET /health` was answered with 200; the median of several starts.",
        &["start", "listens", "well"],
    );
    let with_keys = format!("later, {keys} keys");
    for (label, name) in [
        ("first, empty directory", "first"),
        ("later, no keys", "later"),
        (with_keys.as_str(), keys.as_str()),
    ] {
        let figure = |what: &str| figures.text(&format!("start/{name}/{what}"), 1);
        table.rows.push(vec![label.to_owned(), figure("listens"), figure("ready")]);
    }
    Ok(vec![table])
}

/// Starts a relay, asks it whether it is well, and ends it.
fn started(bench: &Bench, data: &Path, name: &str, figures: &mut Figures) -> anyhow::Result<()> {
    let relay = Relay::start(&bench.programs, data)?;
    let asked = Instant::now();
    let (status, _) = ask(relay.address, HEALTH)?;
    ensure!(status == 200, "a relay that just started answers {status} to GET /health");
    let ready = relay.ready + asked.elapsed();
    let millis = |span: Duration| span.as_secs_f64() * 1_000.0;
    figures.add(&format!("start/{name}/listens"), millis(relay.ready));
    figures.add(&format!("start/{name}/ready"), millis(ready));
    Ok(())
}
