//! A store in a directory of its own, for the tests of the verbs.

use relay_core::account::AccountKind;
use relay_core::clock::Timestamp;
use relay_core::secret::Secret;
use relay_store::Store;
use relay_store::accounts::NewAccount;
use relay_store::data_dir::DataDir;
use relay_store::vault::MasterKey;
use tempfile::TempDir;

/// The time at which everything happens.
pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// A store that goes away with its directory.
pub(super) struct Scratch {
    pub(super) store: Store,
    pub(super) dir: DataDir,
    _home: TempDir,
}

impl Scratch {
    pub(super) async fn new() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let dir = DataDir::open(home.path()).expect("it was just made");
        let (master, _) = MasterKey::load(&dir, None, false).expect("a new key");
        let store = Store::open(&dir.database(), &master, NOW).await.expect("a new database");
        Self { store, dir, _home: home }
    }
}

/// An account that only has what it needs.
pub(super) fn new_account(name: &str) -> NewAccount {
    let secret = Secret::new("upstream words wxyz".replace(' ', "-"));
    NewAccount::new(name, AccountKind::ClaudeApi, "http://127.0.0.1:1", secret)
}
