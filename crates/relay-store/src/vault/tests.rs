use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;
use crate::data_dir::DataDir;
use relay_core::secret::Secret;

/// A key's text that no guide prints: it is made here, so that none stands in the source.
fn key_text(seed: &str) -> Secret {
    Secret::new(master::hex(&*master::hmac(seed.as_bytes(), &[b"test"])))
}

fn vault(seed: &str) -> Vault {
    Vault::new(&MasterKey::from_text(&key_text(seed)).unwrap())
}

fn data_dir() -> (tempfile::TempDir, DataDir) {
    let home = tempfile::tempdir().unwrap();
    let dir = DataDir::create(home.path().join("data")).unwrap();
    (home, dir)
}

#[test]
fn a_new_directory_gets_a_key_and_keeps_it() {
    let (_home, dir) = data_dir();
    let (made, origin) = MasterKey::load(&dir, None, false).unwrap();
    assert_eq!(origin, KeyOrigin::Generated);
    assert_eq!(fs::metadata(dir.master_key()).unwrap().permissions().mode() & 0o777, 0o600);
    let (kept, origin) = MasterKey::load(&dir, None, true).unwrap();
    assert_eq!((kept.fingerprint(), origin), (made.fingerprint(), KeyOrigin::File));
}

#[test]
fn a_database_without_its_key_stops_and_nothing_is_written() {
    let (_home, dir) = data_dir();
    let refusal = MasterKey::load(&dir, None, true).unwrap_err();
    assert!(matches!(refusal, VaultError::MissingMasterKey { .. }));
    assert!(refusal.to_string().contains("ENCRYPTION_KEY"), "{refusal}");
    assert_eq!(fs::read_dir(dir.root()).unwrap().count(), 0);
}

#[test]
fn a_key_from_the_environment_is_not_written_down() {
    let (_home, dir) = data_dir();
    let (_, origin) = MasterKey::load(&dir, Some(&key_text("a")), false).unwrap();
    assert_eq!(origin, KeyOrigin::Environment);
    assert!(!dir.master_key().exists());
}

#[test]
fn the_environment_and_the_file_must_agree() {
    let (_home, dir) = data_dir();
    let (made, _) = MasterKey::load(&dir, None, false).unwrap();
    let file = fs::read_to_string(dir.master_key()).unwrap();
    let text = file.lines().find(|line| !line.starts_with('#')).unwrap();

    let padded = Secret::new(format!(" {text}\n"));
    let (same, origin) = MasterKey::load(&dir, Some(&padded), true).unwrap();
    assert_eq!((same.fingerprint(), origin), (made.fingerprint(), KeyOrigin::Environment));

    let refusal = MasterKey::load(&dir, Some(&key_text("other")), true).unwrap_err();
    assert!(matches!(refusal, VaultError::KeysDisagree { .. }));
    assert_eq!(fs::read_to_string(dir.master_key()).unwrap(), file);
}

#[test]
fn a_damaged_key_file_is_not_taken_for_a_key() {
    let (_home, dir) = data_dir();
    let good = key_text("a");
    let damaged = [
        String::new(),
        "# only a comment\n".to_owned(),
        good.expose()[1..].to_owned(),
        format!("{0}\n{0}\n", good.expose()),
        "\u{fffd}".repeat(32),
    ];
    for content in damaged {
        fs::write(dir.master_key(), &content).unwrap();
        let refusal = MasterKey::load(&dir, None, false).unwrap_err();
        assert!(matches!(refusal, VaultError::MalformedKeyFile { .. }), "{content:?}");
    }
    fs::write(dir.master_key(), [0xff, 0xfe]).unwrap();
    let refusal = MasterKey::load(&dir, None, false).unwrap_err();
    assert!(matches!(refusal, VaultError::MalformedKeyFile { .. }));
}

#[test]
fn samples_from_guides_and_short_keys_are_refused() {
    let samples = [
        "CHANGE-THIS-32-CHARACTER-KEY-NOW".to_owned(),
        "your-encryption-key-here-make-it-long".to_owned(),
        "replace_with_your_32_characters_key".to_owned(),
        "please-changeme-please-changeme-now".to_owned(),
        "x".repeat(64),
        "0123456789abcdef".repeat(4),
        "secret!".repeat(5),
    ];
    for sample in samples {
        let refusal = MasterKey::from_text(&Secret::new(&*sample)).unwrap_err();
        assert!(matches!(refusal, VaultError::KeyIsSample), "{sample}: {refusal}");
    }
    let short = Secret::new(&key_text("a").expose()[..KEY_CHARS_MIN - 1]);
    let refusal = MasterKey::from_text(&short).unwrap_err();
    assert!(matches!(refusal, VaultError::KeyTooShort { chars: 31 }));
}

#[test]
fn neither_debug_nor_an_error_shows_a_key() {
    let text = key_text("a");
    let key = MasterKey::from_text(&text).unwrap();
    let pepper = Pepper { id: 1, scheme: PepperScheme::HmacSha256, secret: text.clone() };
    let shown = format!("{key:?} {:?} {pepper:?} {:?}", Vault::new(&key), KeyHasher::new(&pepper));
    assert!(!shown.contains(text.expose()));
    assert!(!shown.contains(&master::hex(&*key.sealing_key())));
}

#[test]
fn a_record_opens_only_under_its_key_and_in_its_place() {
    let (ours, theirs) = (vault("ours"), vault("theirs"));
    let sealed = ours.seal("accounts.secret:acct_7", b"token");
    assert_eq!(&**ours.open("accounts.secret:acct_7", &sealed).unwrap(), b"token");
    assert_eq!(Fingerprint::of_sealed(&sealed), Some(ours.fingerprint()));
    assert!(matches!(
        ours.open("accounts.secret:acct_8", &sealed),
        Err(VaultError::NotAuthentic { .. })
    ));
    assert!(matches!(
        theirs.open("accounts.secret:acct_7", &sealed),
        Err(VaultError::OtherKey { sealed_by, .. }) if sealed_by == ours.fingerprint()
    ));
}

#[test]
fn the_same_secret_never_looks_the_same_twice() {
    let vault = vault("a");
    assert_ne!(vault.seal("p", b"token"), vault.seal("p", b"token"));
}

#[test]
fn the_formats_at_rest_stay_what_they_are() {
    // Records of every release must open: these values are written down, not computed.
    let key = MasterKey::from_text(&key_text("release")).unwrap();
    assert_eq!(key.fingerprint().to_string(), FINGERPRINT_AT_REST);
    let sealed: Vec<u8> = SEALED_AT_REST
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let opened = Vault::new(&key).open("accounts.secret:acct_7", &sealed).unwrap();
    assert_eq!(&**opened, b"sealed by the first release");
}

const FINGERPRINT_AT_REST: &str = "14100476fce0e7b9";
const SEALED_AT_REST: &str = concat!(
    "0114100476fce0e7b9d3271e310fd1b2baa184c80b2eb55e607db5ddc5d403ef315a0f769c03304f",
    "a6378a399f2c90abbe0215911d75ef9075b238931654bd7ef2a2babf4503797c9bd6a100",
);

#[test]
fn an_imported_key_hashes_as_its_old_installation_did() {
    let pepper = Pepper {
        id: 2,
        scheme: PepperScheme::ClaudeRelayService,
        secret: Secret::new("CHANGE-THIS-32-CHARACTER-KEY-NOW"),
    };
    let presented = format!("cr_{}", "ab".repeat(32));
    assert_eq!(
        master::hex(&KeyHasher::new(&pepper).hash(&presented).0),
        "ab19b3422347452741f1ccbb5ec3a5b958eb801b92b5cae1d5d5b28addb2b275"
    );
}

#[test]
fn the_relays_own_hash_is_hmac_sha256_under_the_pepper() {
    // RFC 4231, test case 2.
    let pepper = Pepper { id: 1, scheme: PepperScheme::HmacSha256, secret: Secret::new("Jefe") };
    assert_eq!(
        master::hex(&KeyHasher::new(&pepper).hash("what do ya want for nothing?").0),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    assert_ne!(Pepper::generate(1).secret, Pepper::generate(1).secret);
}

#[test]
fn schemes_read_back_from_their_words() {
    for scheme in [PepperScheme::HmacSha256, PepperScheme::ClaudeRelayService] {
        assert_eq!(PepperScheme::from_word(scheme.as_str()), Some(scheme));
    }
    assert_eq!(PepperScheme::from_word("md5"), None);
}

#[test]
fn generated_keys_differ_and_use_every_letter_and_digit() {
    let keys: Vec<Secret> = (0..200).map(|_| generate_key("cr_")).collect();
    let mut chars = HashSet::new();
    for key in &keys {
        let random = key.expose().strip_prefix("cr_").unwrap();
        assert_eq!(random.len(), 43);
        assert!(random.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        chars.extend(random.bytes());
    }
    assert_eq!(chars.len(), 62);
    assert_eq!(keys.iter().map(Secret::expose).collect::<HashSet<_>>().len(), keys.len());
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens_again(
        place in ".{0,40}",
        plaintext in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let vault = vault("a");
        let sealed = vault.seal(&place, &plaintext);
        prop_assert_eq!(&**vault.open(&place, &sealed).unwrap(), &plaintext);
    }

    #[test]
    fn a_changed_or_cut_record_never_opens(
        index in any::<proptest::sample::Index>(),
        flip in 1_u8..=255,
    ) {
        let vault = vault("a");
        let sealed = vault.seal("p", b"token");
        let mut changed = sealed.clone();
        changed[index.index(sealed.len())] ^= flip;
        prop_assert!(vault.open("p", &changed).is_err());
        prop_assert!(vault.open("p", &sealed[..index.index(sealed.len())]).is_err());
    }
}
