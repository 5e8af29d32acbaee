//! Builds the web page before it is taken into the binary.
//!
//! `WEBUI=auto` (the default) takes what lies in `web/dist` if it is of these sources; else a
//! release build runs npm, where there is one, and a debug build does without a page. What fails is
//! told as a warning. `WEBUI=skip` takes what lies there. `WEBUI=require` builds the page in any
//! build, and fails without it.

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the page is made from, below `web`.
const SOURCES: &[&str] = &[
    "index.html",
    "package.json",
    "package-lock.json",
    "public",
    "scripts",
    "src",
    "tsconfig.json",
    "vite.config.ts",
];
/// The file in `web/dist` that tells of which sources it was made.
const STAMP: &str = ".stamp";

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let web = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../web");
    println!("cargo::rerun-if-env-changed=WEBUI");
    println!("cargo::rerun-if-changed={}", web.join("dist").join(STAMP).display());
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", web.join(source).display());
    }
    let wish = env::var("WEBUI").unwrap_or_default();
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    match wish.as_str() {
        "require" => ensure(&web),
        "" | "auto" if is_release => {
            if let Err(error) = ensure(&web) {
                println!("cargo::warning=this binary has no web page: {error}");
            }
            Ok(())
        }
        "" | "auto" | "skip" => Ok(()),
        other => Err(format!("WEBUI is auto, skip or require, and not {other:?}").into()),
    }
}

/// Sees to it that `web/dist` is of the sources that lie there.
fn ensure(web: &Path) -> Outcome<()> {
    if !web.join("package.json").exists() {
        return Err("its sources (the folder web) are not here".into());
    }
    // Two builds may come here at one time.
    let lock = File::create(web.join(".build-lock"))?;
    lock.lock()?;
    let stamp = stamp(web)?;
    let path = web.join("dist").join(STAMP);
    if fs::read_to_string(&path).is_ok_and(|found| found == stamp) {
        return Ok(());
    }
    npm(web, &["ci", "--no-audit", "--no-fund", "--silent"])?;
    npm(web, &["run", "--silent", "build"])?;
    fs::write(path, stamp)?;
    Ok(())
}

fn npm(web: &Path, arguments: &[&str]) -> Outcome<()> {
    let run = Command::new("npm").args(arguments).current_dir(web).output();
    let run = run.map_err(|error| format!("npm does not run ({error}); Node.js 20 brings it"))?;
    if run.status.success() {
        return Ok(());
    }
    let said = [run.stdout, run.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().collect();
    let last = lines[lines.len().saturating_sub(12)..].join(" | ");
    Err(format!("npm {} failed: {last}", arguments.join(" ")).into())
}

/// Tells one state of the sources from another.
fn stamp(web: &Path) -> Outcome<String> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect(&web.join(source), &mut files)?;
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.strip_prefix(web)?.hash(&mut hasher);
        fs::read(&file)?.hash(&mut hasher);
    }
    Ok(format!("{:016x}\n", hasher.finish()))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Outcome<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    } else if path.exists() {
        files.push(path.to_owned());
    }
    Ok(())
}
