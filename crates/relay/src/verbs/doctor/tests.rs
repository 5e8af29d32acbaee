use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use relay_core::clock::Timestamp;
use relay_store::StoreError;
use relay_store::checkup::Schema;
use relay_store::journal::{Lines, Look, WriterIs};
use relay_store::vault::{KeyOrigin, VaultError};

use super::database::Pages;
use super::directory::{Entry, Place, Tree};
use super::machine::Whose;
use super::master_key::Fits;
use super::network::{Health, Port, Server, Strangers};
use super::space::{FREE_BYTES_LEAST, FREE_BYTES_LOW, Kind, Space};
use super::*;

/// 2026-11-23.
const NOW: Timestamp = Timestamp::from_seconds(1_795_430_000);
const MIB: u64 = 1 << 20;
const MINUTE: Duration = Duration::from_mins(1);
const EVERY_CHECK: [Check; Check::Account as usize + 1] = [
    Check::Settings,
    Check::TimeZone,
    Check::Clock,
    Check::DataDir,
    Check::Permissions,
    Check::Owner,
    Check::Disk,
    Check::FileSystem,
    Check::MasterKey,
    Check::FirstPassword,
    Check::Database,
    Check::Journal,
    Check::Server,
    Check::Port,
    Check::TrustedProxies,
    Check::OpenFiles,
    Check::Memory,
    Check::Keys,
    Check::Accounts,
    Check::Account,
];

/// The states of findings, one letter each.
fn states(findings: &[Finding]) -> String {
    let letter = |finding: &Finding| match finding.state {
        State::Well => '.',
        State::Note => 'n',
        State::Wrong => 'W',
        State::Skipped => 's',
    };
    findings.iter().map(letter).collect()
}

fn state(finding: &Finding) -> State {
    let helps = finding.what_to_do.as_ref().is_some_and(|it| !it.is_empty());
    assert!(finding.state != State::Wrong || helps, "it says what to do: {finding:?}");
    assert!(!finding.what.is_empty(), "it says what: {finding:?}");
    finding.state
}

#[test]
fn every_mistake_is_wrong_and_every_remark_a_note() {
    let mistakes = ["PORT: not a port".to_owned(), "HOST: not an address".to_owned()];
    let remarks = ["unknown variable CRS_X".to_owned()];
    assert_eq!(states(&settings::judge(&mistakes, &remarks)), "WWn");
    assert_eq!(states(&settings::judge(&[], &[])), ".");
}

#[test]
fn a_zone_that_nobody_named_is_a_note() {
    let zone = |name: Option<&str>| settings::Zone {
        name: name.map(str::to_owned),
        local: "2026-11-23 10:00:00".to_owned(),
    };
    assert_eq!(state(&settings::judge_zone(&zone(Some("Asia/Shanghai")))), State::Well);
    assert_eq!(state(&settings::judge_zone(&zone(None))), State::Note);
}

#[test]
fn a_clock_is_wrong_by_its_year_its_records_or_every_provider() {
    let judged = |now, newest_record, ahead: &[Duration], sign: i64| {
        let millis = |span: &Duration| sign * i64::try_from(span.as_millis()).expect("short");
        let ahead_millis = ahead.iter().map(millis).collect();
        state(&clock::judge(&clock::Facts { now, newest_record, ahead_millis }))
    };
    assert_eq!(judged(NOW, None, &[], 1), State::Well);
    assert_eq!(judged(Timestamp::from_seconds(0), None, &[], 1), State::Wrong);
    assert_eq!(judged(Timestamp::from_seconds(5_000_000_000), None, &[], 1), State::Wrong);
    assert_eq!(judged(NOW, Some(NOW.plus(MINUTE)), &[], 1), State::Well);
    assert_eq!(judged(NOW, Some(NOW.plus(2 * MINUTE)), &[], 1), State::Wrong);
    for sign in [1, -1] {
        assert_eq!(judged(NOW, None, &[5 * MINUTE], sign), State::Well);
        assert_eq!(judged(NOW, None, &[6 * MINUTE], sign), State::Wrong);
        assert_eq!(judged(NOW, None, &[60 * MINUTE, MINUTE], sign), State::Well);
    }
}

fn tree(mode: u32, entries: &[(&str, u32, u32)]) -> Tree {
    let entry = |(name, mode, owner): &(&str, u32, u32)| Entry {
        name: (*name).to_owned(),
        mode: *mode,
        owner: *owner,
        is_link: false,
    };
    let entries = entries.iter().map(entry).collect();
    Tree { mode, owner: 7, user: 7, unwritable: None, entries }
}

fn directory_states(place: &Place) -> String {
    states(&directory::judge(Path::new("/data"), place))
}

#[test]
fn a_directory_that_cannot_be_had_is_one_finding() {
    for place in [Place::Missing, Place::NoDirectory, Place::Closed("denied".to_owned())] {
        assert_eq!(directory_states(&place), "W");
    }
}

#[test]
fn secrets_open_to_others_are_wrong_and_an_open_directory_is_a_note() {
    let judged = |mode, entries: &[_]| directory_states(&Place::There(tree(mode, entries)));
    let private = [("master.key", 0o100_600, 7), ("logs/crs.log", 0o100_644, 7)];
    assert_eq!(judged(0o40_700, &private), "...");
    assert_eq!(judged(0o40_755, &private), ".n.");
    assert_eq!(judged(0o40_700, &[("master.key", 0o100_640, 7)]), ".W.");
    assert_eq!(judged(0o40_700, &[("credentials/acct_1", 0o100_604, 7)]), ".W.");
    let many: Vec<String> = (0..9).map(|number| format!("credentials/acct_{number}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), 0o644, 7)).collect();
    assert_eq!(judged(0o40_700, &many), ".WWWWW.");
    let told = directory::judge(
        Path::new("/data"),
        &Place::There(tree(0o40_700, &[("master.key", 0o100_644, 7)])),
    );
    assert_eq!(told[1].what, "master.key holds secrets and is open to others (mode 644)");
    assert_eq!(told[1].what_to_do.as_deref(), Some("chmod 600 /data/master.key"));
}

#[test]
fn files_of_another_user_are_wrong_and_so_is_another_user_here() {
    let judged = |tree| directory_states(&Place::There(tree));
    assert_eq!(judged(tree(0o40_700, &[("crs.db-wal", 0o600, 0)])), "..W");
    assert_eq!(judged(Tree { user: 8, ..tree(0o40_700, &[]) }), "..W");
    assert_eq!(judged(Tree { user: 0, ..tree(0o40_700, &[]) }), "...");
    let unwritable = Some("read-only file system".to_owned());
    assert_eq!(judged(Tree { unwritable, ..tree(0o40_700, &[]) }), "W..");
}

#[test]
fn room_is_judged_by_bytes_and_by_files() {
    let space = Space {
        free_bytes: FREE_BYTES_LOW,
        free_files: 100_000,
        files: 1_000_000,
        kind: Kind::Local,
        read_only: false,
    };
    let judged = |space| states(&space::judge(&space));
    assert_eq!(judged(space), "..");
    assert_eq!(judged(Space { free_bytes: FREE_BYTES_LOW - 1, ..space }), "n.");
    assert_eq!(judged(Space { free_bytes: FREE_BYTES_LEAST - 1, ..space }), "W.");
    assert_eq!(judged(Space { free_files: 1_999, ..space }), "n.");
    assert_eq!(judged(Space { free_files: 3, ..space }), "W.");
    assert_eq!(judged(Space { free_files: 0, files: 0, ..space }), "..");
    assert_eq!(judged(Space { read_only: true, ..space }), "W.");
    for kind in [Kind::of_magic(0x6969), Kind::of_magic(0x0102_1994), Kind::of_magic(0x794c_7630)] {
        assert_ne!(kind, Kind::Local);
        assert_eq!(judged(Space { kind, ..space }), ".n");
    }
    // CIFS as a signed number of 32 bits, and ext4.
    assert_eq!(Kind::of_magic(-11_317_950), Kind::Network("SMB"));
    assert_eq!(Kind::of_magic(0xef53), Kind::Local);
}

#[test]
fn a_master_key_is_well_only_if_it_opens_the_database() {
    let key = |fits| master_key::Found::Key { origin: KeyOrigin::File, in_file: true, fits };
    assert_eq!(state(&master_key::judge(&key(Fits::Yes), true)), State::Well);
    assert_eq!(state(&master_key::judge(&key(Fits::No), true)), State::Wrong);
    assert_eq!(state(&master_key::judge(&key(Fits::Untried), false)), State::Note);
    let path = || PathBuf::from("/data/master.key");
    let fails = |error, has| state(&master_key::judge(&master_key::Found::Fails(error), has));
    assert_eq!(fails(VaultError::MissingMasterKey { path: path() }, true), State::Wrong);
    assert_eq!(fails(VaultError::MissingMasterKey { path: path() }, false), State::Note);
    assert_eq!(fails(VaultError::KeysDisagree { path: path() }, true), State::Wrong);
    assert_eq!(fails(VaultError::KeyIsSample, false), State::Wrong);
    assert_eq!(fails(VaultError::MalformedKeyFile { path: path() }, true), State::Wrong);
    assert_eq!(state(&master_key::judge_first_password(true, true)), State::Note);
    assert_eq!(state(&master_key::judge_first_password(false, true)), State::Well);
    assert_eq!(state(&master_key::judge_first_password(false, false)), State::Skipped);
}

#[test]
fn a_database_is_judged_by_schema_and_pages() {
    let there = |schema, pages| {
        state(&database::judge(&database::Found::There { schema, pages, log_bytes: 0 }))
    };
    assert_eq!(there(Schema::Current, Pages::Whole), State::Well);
    assert_eq!(there(Schema::Older, Pages::Whole), State::Note);
    assert_eq!(there(Schema::Current, Pages::Unread), State::Note);
    assert_eq!(there(Schema::Older, Pages::Damaged("page 3".into())), State::Wrong);
    assert_eq!(state(&database::judge(&database::Found::Missing)), State::Note);
    let path = PathBuf::from("/data/crs.db");
    let newer = StoreError::NewerSchema { path: path.clone(), found: 9, known: 5 };
    let told = database::judge(&database::Found::Fails(newer));
    assert!(told.what.contains("its schema is 9"), "{told:?}");
    assert_eq!(state(&told), State::Wrong);
    let foreign = database::Found::Fails(StoreError::Foreign { path });
    assert_eq!(state(&database::judge(&foreign)), State::Wrong);
    let log_bytes = database::LOG_BYTES_MAX + 1;
    let grown = database::Found::There { schema: Schema::Current, pages: Pages::Whole, log_bytes };
    assert_eq!(state(&database::judge(&grown)), State::Note);
}

#[test]
fn a_journal_is_wrong_where_lines_are_damaged_or_the_database_does_not_follow() {
    let judged =
        |look: &Look, writer| states(&journal::judge(&journal::Found::There(look.clone()), writer));
    let lines = Lines::default();
    let look = Look { segments: 1, bytes: 900, behind_bytes: 0, lines: Some(lines) };
    let with = |lines| Look { lines: Some(lines), ..look.clone() };
    for writer in [WriterIs::Running, WriterIs::Gone] {
        assert_eq!(judged(&look, writer), ".");
        assert_eq!(judged(&with(Lines { damaged: 2, ..lines }), writer), "W");
        assert_eq!(judged(&with(Lines { cut: 1, ..lines }), writer), "n");
        assert_eq!(judged(&Look { lines: None, ..look.clone() }, writer), "n");
    }
    assert_eq!(judged(&with(Lines { unsettled: 3, ..lines }), WriterIs::Gone), "n");
    assert_eq!(judged(&with(Lines { unsettled: 3, ..lines }), WriterIs::Running), ".");
    let behind = Look { behind_bytes: journal::BEHIND_BYTES_MAX + 1, ..look };
    assert_eq!(judged(&behind, WriterIs::Running), "W");
    assert_eq!(judged(&behind, WriterIs::Gone), "n");
}

#[test]
fn a_server_is_judged_by_what_it_says() {
    let running = |health| Server::Running { process: Some(9), address: None, health };
    let judged = |server| state(&network::judge_server(&server));
    assert_eq!(judged(Server::None), State::Note);
    assert_eq!(judged(Server::Mute { process: None }), State::Wrong);
    assert_eq!(judged(running(Health::Well)), State::Well);
    assert_eq!(judged(running(Health::Says("degraded".into()))), State::Wrong);
    assert_eq!(judged(running(Health::Says("full".into()))), State::Wrong);
    assert_eq!(judged(running(Health::Says("stopping".into()))), State::Note);
    assert_eq!(judged(running(Health::Silent("refused".into()))), State::Wrong);
}

#[test]
fn a_port_that_a_relay_cannot_have_is_wrong() {
    let judged = |address: &str, port| {
        state(&network::judge_port(address.parse().expect("an address"), &port))
    };
    assert_eq!(judged("0.0.0.0:3000", Port::Free), State::Well);
    assert_eq!(judged("127.0.0.1:3000", Port::Free), State::Note);
    for port in [Port::Taken { by: None }, Port::Forbidden, Port::NoAddress] {
        assert_eq!(judged("0.0.0.0:3000", port), State::Wrong);
    }
    let by = Some((12, "nginx".to_owned()));
    let taken = network::judge_port(([0, 0, 0, 0], 80).into(), &Port::Taken { by });
    assert_eq!(taken.what, "0.0.0.0:80 is taken by nginx (process 12)");
}

#[test]
fn trusting_everybody_is_wrong() {
    const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let judged = |ranges: &[&str], host, strangers| {
        let ranges: Vec<ipnet::IpNet> =
            ranges.iter().map(|range| range.parse().expect("a range")).collect();
        state(&network::judge_trusted(&ranges, host, strangers))
    };
    assert_eq!(judged(&["0.0.0.0/0"], ANY, Strangers::Unseen), State::Wrong);
    assert_eq!(judged(&["0.0.0.0/1", "128.0.0.0/1"], ANY, Strangers::Unseen), State::Wrong);
    assert_eq!(judged(&["127.0.0.0/8", "::/0"], ANY, Strangers::Unseen), State::Wrong);
    assert_eq!(judged(&["10.0.0.0/8", "fc00::/7"], ANY, Strangers::Unseen), State::Well);
    assert_eq!(judged(&["10.0.0.0/8"], HERE, Strangers::Unseen), State::Note);
    assert_eq!(judged(&[], ANY, Strangers::Unseen), State::Well);
    assert_eq!(judged(&[], ANY, Strangers::Seen), State::Note);
}

#[test]
fn few_open_files_and_little_memory_are_told() {
    let files = |limit| state(&machine::judge_open_files(limit, Whose::Server));
    assert_eq!([files(None), files(Some(1 << 20)), files(Some(4_096))], [State::Well; 3]);
    assert_eq!(files(Some(1_024)), State::Note);
    let memory = |limit, bodies| state(&machine::judge_memory(limit * MIB, bodies * MIB));
    assert_eq!(memory(2_048, 512), State::Well);
    assert_eq!(memory(512, 300), State::Note);
    assert_eq!(memory(512, 480), State::Wrong);
}

#[test]
fn a_report_counts_what_is_wrong_and_keeps_what_belongs_together() {
    let report = Report::new(vec![
        Finding::well(Check::Port, "a".to_owned()),
        Finding::wrong(Check::Disk, "b".to_owned(), "c".to_owned()),
        Finding::note(Check::Clock, "d".to_owned()),
    ]);
    assert_eq!(report.wrong, 1);
    let checks: Vec<Check> = report.findings.iter().map(|finding| finding.check).collect();
    assert_eq!(checks, [Check::Clock, Check::Disk, Check::Port]);
    let value = serde_json::to_value(&report).expect("JSON");
    assert_eq!(
        value["findings"][1],
        serde_json::json!({"check": "disk", "state": "wrong", "what": "b", "what_to_do": "c"})
    );
}

#[test]
fn checks_of_a_group_stand_side_by_side() {
    let mut seen: Vec<Group> = Vec::new();
    for check in EVERY_CHECK {
        let group = check.group();
        if seen.last() != Some(&group) {
            assert!(!seen.contains(&group), "{check:?} stands apart from its group");
            seen.push(group);
        }
    }
    let numbers = EVERY_CHECK.map(|check| check as usize);
    assert_eq!(numbers, std::array::from_fn(|number| number), "in the order of the report");
}

#[test]
fn a_link_to_a_secret_elsewhere_is_not_told_to_change_what_it_cannot() {
    let mut tree = tree(0o40_700, &[("master.key", 0o100_444, 0)]);
    tree.entries[0].is_link = true;
    let judged = directory::judge(Path::new("/data"), &Place::There(tree.clone()));
    assert_eq!(states(&judged), ".n.", "{judged:?}");
    tree.entries[0].mode = 0o100_400;
    assert_eq!(directory_states(&Place::There(tree)), "...");
}

#[test]
fn a_clock_is_told_no_finer_than_it_is_known() {
    let told = |millis| {
        let facts = clock::Facts { now: NOW, newest_record: None, ahead_millis: vec![millis] };
        clock::judge(&facts).what
    };
    assert_eq!(told(0), "as the providers have it, within 2 s");
    assert_eq!(told(-900), "as the providers have it, within 2 s");
    assert_eq!(told(2_001), "as the providers have it, within 3 s");
    assert_eq!(told(-61_200), "as the providers have it, within 62 s");
}

#[test]
fn sizes_and_spans_read_well() {
    let sizes = [0, 1_023, 1_024, 1_536, 20 << 20, 3 << 30, 5 << 40].map(bytes);
    assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "20 MiB", "3.0 GiB", "5.0 TiB"]);
    let spans = [90, 7_000, 100_000, 400_000].map(|seconds| span(Duration::from_secs(seconds)));
    assert_eq!(spans, ["90 s", "116 min", "27 h", "4 days"]);
}
