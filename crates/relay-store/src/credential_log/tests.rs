use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use relay_core::clock::Timestamp;
use relay_core::secret::Secret;
use tempfile::TempDir;

use super::*;
use crate::vault::MasterKey;

const ANNA: AccountId = AccountId(7);
const BERT: AccountId = AccountId(8);

fn vault() -> Vault {
    vault_of("the words that open the record of these tests")
}

fn vault_of(words: &str) -> Vault {
    Vault::new(&MasterKey::from_text(&Secret::new(words)).unwrap())
}

/// A pair; each number gives another one.
fn pair(number: i64) -> Tokens {
    Tokens {
        access: Secret::new(format!("what goes along, number {number}")),
        refresh: (number % 2 == 0).then(|| Secret::new(format!("what buys the next, {number}"))),
        expires_at: Some(Timestamp::from_seconds(number + 28_800)),
        obtained_at: Timestamp::from_seconds(number),
        client_secret: None,
    }
}

/// A record in a directory that goes away with it.
struct Scratch {
    home: TempDir,
    log: CredentialLog,
}

impl Scratch {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let log = CredentialLog::open(home.path().join("credentials"), vault()).unwrap();
        Self { home, log }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join("credentials").join(name)
    }

    /// The record as the next start finds it.
    fn reopen(&mut self) {
        self.log = CredentialLog::open(self.path(""), vault()).unwrap();
    }

    /// What is noted, in words.
    fn told(&self) -> Vec<String> {
        self.log.pending().unwrap().iter().map(tell).collect()
    }

    fn names(&self) -> Vec<String> {
        let files = fs::read_dir(self.path("")).unwrap();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn tell(pending: &Pending) -> String {
    let account = pending.account;
    match &pending.stage {
        Stage::Begun { version } => tell_begun(account, *version),
        Stage::Finished { version, tokens } => tell_pair(account, *version, tokens),
        Stage::Damaged(_) => format!("{account} damaged"),
    }
}

fn tell_begun(account: AccountId, version: i64) -> String {
    format!("{account} begun {version}")
}

fn tell_pair(account: AccountId, version: i64, tokens: &Tokens) -> String {
    let refresh = tokens.refresh.as_ref().map(Secret::expose);
    let ends = tokens.expires_at.unwrap().as_millis();
    let access = tokens.access.expose();
    format!("{account} pair {version}: {access}, {refresh:?}, {ends}, {}", tokens.obtained_at)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_refresh_is_noted_before_it_goes_out_and_when_its_pair_comes() {
    let mut scratch = Scratch::new();
    assert!(scratch.told().is_empty());
    scratch.log.begin(ANNA, 3).unwrap();
    scratch.reopen();
    assert_eq!(scratch.told(), [tell_begun(ANNA, 3)]);
    scratch.log.finish(ANNA, 3, &pair(1)).unwrap();
    scratch.reopen();
    assert_eq!(scratch.told(), [tell_pair(ANNA, 3, &pair(1))]);
    scratch.log.clear(ANNA, 2).unwrap();
    assert_eq!(scratch.told().len(), 1, "that was another version");
    scratch.log.clear(ANNA, 3).unwrap();
    scratch.log.clear(ANNA, 3).unwrap();
    scratch.reopen();
    assert!(scratch.told().is_empty());
    assert!(scratch.names().is_empty());
}

#[test]
fn a_pair_counts_also_where_its_intent_is_lost() {
    let mut scratch = Scratch::new();
    scratch.log.finish(ANNA, 3, &pair(2)).unwrap();
    scratch.reopen();
    assert_eq!(scratch.told(), [tell_pair(ANNA, 3, &pair(2))]);
}

#[test]
fn a_pair_that_the_database_lacks_outlives_the_intent_to_replace_it() {
    let mut scratch = Scratch::new();
    scratch.log.finish(ANNA, 3, &pair(1)).unwrap();
    scratch.log.begin(ANNA, 4).unwrap();
    scratch.reopen();
    assert_eq!(scratch.told(), [tell_pair(ANNA, 3, &pair(1)), tell_begun(ANNA, 4)]);
    scratch.log.clear(ANNA, 3).unwrap();
    assert_eq!(scratch.told(), [tell_begun(ANNA, 4)]);
    scratch.log.finish(ANNA, 4, &pair(2)).unwrap();
    assert_eq!(scratch.told(), [tell_pair(ANNA, 4, &pair(2))]);
}

#[test]
fn a_token_that_was_used_up_or_replaced_is_not_refreshed_again() {
    let scratch = Scratch::new();
    scratch.log.begin(ANNA, 5).unwrap();
    scratch.log.begin(ANNA, 5).unwrap();
    let check = |result: Result<(), CredentialLogError>| {
        let error = result.unwrap_err();
        assert!(matches!(error, CredentialLogError::Superseded { .. }), "{error:?}");
    };
    check(scratch.log.begin(ANNA, 4));
    check(scratch.log.finish(ANNA, 4, &pair(1)));
    scratch.log.finish(ANNA, 5, &pair(2)).unwrap();
    check(scratch.log.begin(ANNA, 5));
    check(scratch.log.begin(ANNA, 4));
    check(scratch.log.finish(ANNA, 4, &pair(1)));
    assert_eq!(scratch.told(), [tell_pair(ANNA, 5, &pair(2))]);
}

#[test]
fn only_the_owner_may_look_at_it() {
    let mut scratch = Scratch::new();
    scratch.log.begin(ANNA, 1).unwrap();
    let (dir, file) = (scratch.path(""), scratch.path("acct_7"));
    assert_eq!((mode(&dir), mode(&file)), (0o700, 0o600));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    scratch.reopen();
    assert_eq!((mode(&dir), mode(&file)), (0o700, 0o600));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    scratch.reopen();
    assert_eq!(scratch.told(), [tell_begun(ANNA, 1)]);
}

#[test]
fn nothing_stands_in_it_in_clear() {
    let scratch = Scratch::new();
    scratch.log.finish(ANNA, 3, &pair(2)).unwrap();
    let content = fs::read(scratch.path("acct_7")).unwrap();
    for hidden in ["goes along", "buys the next", "token", "28802000"] {
        assert!(!content.windows(hidden.len()).any(|it| it == hidden.as_bytes()), "{hidden}");
    }
    let shown = format!("{:?} {:?}", scratch.log, scratch.log.pending().unwrap());
    assert!(!shown.contains("goes along") && !shown.contains("buys the next"), "{shown}");
}

#[test]
fn what_a_crash_left_of_a_file_is_gone_and_the_file_before_it_stays() {
    let mut scratch = Scratch::new();
    scratch.log.begin(ANNA, 3).unwrap();
    fs::write(scratch.path("acct_7.0badcafe.tmp"), "half a fi").unwrap();
    fs::write(scratch.path("acct_9.0badcafe.tmp"), "").unwrap();
    assert_eq!(scratch.told(), [tell_begun(ANNA, 3)]);
    scratch.reopen();
    assert_eq!(scratch.names(), ["acct_7"]);
    assert_eq!(scratch.told(), [tell_begun(ANNA, 3)]);
}

#[test]
fn files_of_other_names_are_let_be() {
    let mut scratch = Scratch::new();
    for name in ["README", "acct_007", "acct_", "key_7", "acct_7.bak"] {
        fs::write(scratch.path(name), "not ours").unwrap();
    }
    scratch.reopen();
    assert!(scratch.told().is_empty());
    assert_eq!(scratch.names().len(), 5);
}

#[test]
fn a_damaged_file_is_told_and_stops_no_other() {
    let scratch = Scratch::new();
    scratch.log.finish(BERT, 2, &pair(2)).unwrap();
    scratch.log.finish(ANNA, 3, &pair(1)).unwrap();
    let whole = fs::read(scratch.path("acct_7")).unwrap();
    let bert = tell_pair(BERT, 2, &pair(2));
    for length in 0..whole.len() {
        fs::write(scratch.path("acct_7"), &whole[..length]).unwrap();
        assert_eq!(scratch.told(), ["acct_7 damaged", &bert], "cut to {length}");
    }
    for index in 0..whole.len() {
        let mut spoilt = whole.clone();
        spoilt[index] ^= 0x01;
        fs::write(scratch.path("acct_7"), &spoilt).unwrap();
        assert_eq!(scratch.told(), ["acct_7 damaged", &bert], "spoilt at {index}");
    }
    scratch.log.begin(ANNA, 3).unwrap();
    assert_eq!(scratch.told(), [tell_begun(ANNA, 3), bert.clone()]);
    fs::write(scratch.path("acct_7"), "nothing").unwrap();
    scratch.log.clear(ANNA, 3).unwrap();
    assert_eq!(scratch.told(), [bert]);
}

#[test]
fn what_cannot_be_read_is_told_but_neither_replaced_by_an_intent_nor_cleared() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("acct_7")).unwrap();
    assert_eq!(scratch.told(), ["acct_7 damaged"]);
    for refused in [scratch.log.begin(ANNA, 1), scratch.log.clear(ANNA, 1)] {
        let error = refused.unwrap_err();
        assert!(matches!(error, CredentialLogError::Read { .. }), "{error:?}");
        assert!(error.to_string().ends_with("acct_7"), "{error}");
    }
}

#[test]
fn a_file_of_another_account_or_version_does_not_open() {
    let scratch = Scratch::new();
    scratch.log.finish(ANNA, 3, &pair(1)).unwrap();
    let anna = fs::read(scratch.path("acct_7")).unwrap();
    fs::write(scratch.path("acct_8"), &anna).unwrap();
    let bert = scratch.log.pending().unwrap().pop().unwrap();
    assert_eq!(bert.account, BERT);
    let refused = matches!(&bert.stage, Stage::Damaged(CredentialLogError::Sealed {
        source: VaultError::NotAuthentic { place }, ..
    }) if place == "credentials.pair:acct_8:3");
    assert!(refused, "{bert:?}");

    let (_, sealed) = entry::split(&anna).unwrap();
    fs::write(scratch.path("acct_7"), entry::join(4, sealed)).unwrap();
    assert_eq!(scratch.told(), ["acct_7 damaged", "acct_8 damaged"]);
}

#[test]
fn another_master_key_opens_nothing_and_says_so() {
    let scratch = Scratch::new();
    scratch.log.finish(ANNA, 3, &pair(1)).unwrap();
    let other = vault_of("other words than those of the tests' record");
    let log = CredentialLog::open(scratch.path(""), other).unwrap();
    let pending = log.pending().unwrap();
    let Stage::Damaged(CredentialLogError::Sealed { source, .. }) = &pending[0].stage else {
        panic!("{pending:?}")
    };
    assert!(matches!(source, VaultError::OtherKey { .. }), "{source:?}");
}

#[test]
fn a_directory_that_cannot_be_had_is_an_error_in_words() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("credentials");
    fs::write(&path, "a file").unwrap();
    let error = CredentialLog::open(&path, vault()).unwrap_err();
    assert!(error.to_string().ends_with("credentials"), "{error}");
}

#[test]
fn a_refresh_that_cannot_be_noted_is_an_error_and_what_stood_there_stays() {
    let scratch = Scratch::new();
    scratch.log.begin(ANNA, 3).unwrap();
    let (dir, away) = (scratch.path(""), scratch.home.path().join("away"));
    fs::rename(&dir, &away).unwrap();
    let error = scratch.log.finish(ANNA, 3, &pair(1)).unwrap_err();
    assert!(matches!(error, CredentialLogError::Write(_)), "{error:?}");
    fs::rename(&away, &dir).unwrap();
    assert_eq!(scratch.told(), [tell_begun(ANNA, 3)]);
}

/// What may happen to the record.
#[derive(Debug, Clone)]
enum Step {
    Begin(AccountId, i64),
    Finish(AccountId, i64, i64),
    Clear(AccountId, i64),
    Forget(AccountId),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let account = || prop_oneof![Just(ANNA), Just(BERT)];
    let step = prop_oneof![
        4 => (account(), 1..5_i64).prop_map(|(account, version)| Step::Begin(account, version)),
        4 => (account(), 1..5_i64, 0..100_i64)
            .prop_map(|(account, version, number)| Step::Finish(account, version, number)),
        3 => (account(), 1..5_i64).prop_map(|(account, version)| Step::Clear(account, version)),
        1 => account().prop_map(Step::Forget),
        2 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..30)
}

/// What is noted of an account, as simple as it can be said: pairs by the version that they
/// replace, and intents; only the newest of each is kept.
#[derive(Debug, Default)]
struct Model {
    pairs: BTreeMap<i64, i64>,
    begun: Option<i64>,
}

impl Model {
    /// Takes a step; whether the record is to accept it.
    fn take(&mut self, step: &Step) -> bool {
        let pair = self.pairs.keys().next_back().copied().unwrap_or(0);
        let begun = self.begun.unwrap_or(0);
        match step {
            Step::Begin(_, version) if *version > pair && *version >= begun => {
                self.begun = Some(*version);
            }
            Step::Finish(_, version, number) if *version >= pair && *version >= begun => {
                *self = Self { pairs: BTreeMap::from([(*version, *number)]), begun: None };
            }
            Step::Begin(..) | Step::Finish(..) => return false,
            Step::Clear(_, version) => {
                self.pairs.remove(version);
                self.begun = self.begun.filter(|begun| begun != version);
            }
            Step::Forget(_) => *self = Self::default(),
            Step::Reopen => {}
        }
        true
    }

    fn tell(&self, account: AccountId) -> Vec<String> {
        let pairs = self.pairs.iter();
        let pairs = pairs.map(|(version, number)| tell_pair(account, *version, &pair(*number)));
        pairs.chain(self.begun.map(|version| tell_begun(account, version))).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_record_says_what_a_simple_model_says(steps in steps()) {
        let mut scratch = Scratch::new();
        let mut models = BTreeMap::from([(ANNA, Model::default()), (BERT, Model::default())]);
        for step in steps {
            let (account, result) = match step {
                Step::Begin(account, version) => (account, scratch.log.begin(account, version)),
                Step::Finish(account, version, number) => {
                    (account, scratch.log.finish(account, version, &pair(number)))
                }
                Step::Clear(account, version) => (account, scratch.log.clear(account, version)),
                Step::Forget(account) => (account, scratch.log.forget(account)),
                Step::Reopen => { scratch.reopen(); (ANNA, Ok(())) }
            };
            let expected = models.get_mut(&account).unwrap().take(&step);
            prop_assert_eq!(result.is_ok(), expected, "{:?}", step);
            let told: Vec<String> =
                models.iter().flat_map(|(account, model)| model.tell(*account)).collect();
            prop_assert_eq!(scratch.told(), told, "{:?}", step);
        }
    }
}
