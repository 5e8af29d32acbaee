//! Root never writes into another user's data directory: the files it made would not be that
//! user's, and the relay could not open them.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::cli::{Global, context};
use crate::config::Origin;

/// As root on another user's directory, starts this program again as that user, in place of this
/// process and without root's groups. Otherwise does nothing.
///
/// The installed service's settings go along in the environment: only root may read their file.
pub(super) fn become_owner(global: &Global, dir: &Path) -> anyhow::Result<()> {
    let found = fs::metadata(dir).with_context(|| format!("cannot look at {}", dir.display()))?;
    if found.uid() == 0 || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let program = env::current_exe().context("cannot tell where this program is")?;
    let mut again = Command::new(program);
    again.envs(context::layers(global, [])?.of(&Origin::Installed));
    again.args(env::args_os().skip(1)).uid(found.uid()).gid(found.gid());
    // Returns only if it fails.
    Err(again.exec()).with_context(|| {
        let (dir, uid) = (dir.display(), found.uid());
        format!("{dir} belongs to user {uid}: run this as that user (runuser or su)")
    })
}
