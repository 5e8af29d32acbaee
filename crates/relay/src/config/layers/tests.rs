//! What an installed service's settings count for.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

/// A machine with an installed service, and a directory that somebody works in.
struct Machine {
    root: TempDir,
}

impl Machine {
    /// `{root}` in the service's settings is the machine's own directory.
    fn new(settings: &str) -> Self {
        let root = TempDir::new().expect("a directory");
        for name in ["here", "service", "elsewhere"] {
            fs::create_dir(root.path().join(name)).expect("a directory");
        }
        let machine = Self { root };
        fs::write(machine.file(), settings.replace("{root}", &machine.path(""))).expect("a file");
        machine
    }

    fn path(&self, name: &str) -> String {
        self.root.path().join(name).display().to_string().trim_end_matches('/').to_owned()
    }

    fn file(&self) -> String {
        self.path("crs.env")
    }

    fn write_here(&self, name: &str, text: &str) {
        fs::write(self.root.path().join("here").join(name), text).expect("a file");
    }

    /// What is gathered here with a directory named by flag and others by environment.
    fn gather(&self, flag: Option<&str>, environment: &[(&str, &str)], unnamed: Unnamed) -> Layers {
        let flag = flag.map(|directory| ("DATA_DIR", directory.to_owned()));
        let environment =
            environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let file = self.file();
        let installed = Installed { file: Path::new(&file), unnamed };
        Layers::gather(flag, environment, &self.root.path().join("here"), Some(installed))
    }
}

fn value<'a>(layers: &'a Layers, name: &str) -> Option<&'a str> {
    layers.get(name).map(|(value, _)| value.as_str())
}

const SETTINGS: &str = "# The service's.\nDATA_DIR={root}/service\nPORT=4000\n\nHOST=127.0.0.1\n";

#[test]
fn commands_without_a_named_directory_work_on_the_installed_services() {
    let machine = Machine::new(SETTINGS);
    let layers = machine.gather(None, &[], Unnamed::Service);
    assert_eq!(value(&layers, "DATA_DIR"), Some(machine.path("service").as_str()));
    assert_eq!(value(&layers, "PORT"), Some("4000"));
    let handed: Vec<_> = layers.of(&Origin::Installed).map(|(name, _)| name).collect();
    assert_eq!(handed, ["DATA_DIR", "HOST", "PORT"]);

    let machine = Machine::new("PORT=4000\n");
    let layers = machine.gather(None, &[], Unnamed::Service);
    assert_eq!(value(&layers, "DATA_DIR"), Some("/var/lib/crs"), "the unit's own");
}

#[test]
fn a_start_without_a_named_directory_has_nothing_of_the_installed_service() {
    let machine = Machine::new(SETTINGS);
    let layers = machine.gather(None, &[], Unnamed::Here);
    assert_eq!(layers.names().count(), 0, "{layers:?}");
}

#[test]
fn the_services_settings_go_with_its_directory_whoever_names_it() {
    let machine = Machine::new(SETTINGS);
    let (service, elsewhere) = (machine.path("service"), machine.path("elsewhere"));
    let port = |flag: Option<&str>, environment: Option<&str>, unnamed| {
        let environment = environment.map(|directory| ("DATA_DIR", directory));
        let layers = machine.gather(flag, environment.as_slice(), unnamed);
        value(&layers, "PORT").map(str::to_owned)
    };
    for unnamed in [Unnamed::Service, Unnamed::Here] {
        assert_eq!(port(Some(&service), None, unnamed).as_deref(), Some("4000"));
        assert_eq!(port(None, Some(&service), unnamed).as_deref(), Some("4000"));
        assert_eq!(port(Some("../service/"), None, unnamed).as_deref(), Some("4000"));
        assert_eq!(port(Some(&elsewhere), None, unnamed), None);
        assert_eq!(port(None, Some(&elsewhere), unnamed), None);
        assert_eq!(port(Some(&elsewhere), Some(&service), unnamed), None);
        assert_eq!(port(Some(&machine.path("missing")), None, unnamed), None);
    }
    machine.write_here(".env", &format!("DATA_DIR={service}\n"));
    assert_eq!(port(None, None, Unnamed::Here).as_deref(), Some("4000"));
    machine.write_here(".env", "DATA_DIR=./data\n");
    assert_eq!(port(None, None, Unnamed::Service), None);
    fs::remove_file(machine.root.path().join("here/.env")).expect("the file");
    machine.write_here("crs.toml", "data_dir = \"./data\"\n");
    assert_eq!(port(None, None, Unnamed::Service), None);
}

#[test]
fn the_services_settings_are_below_dot_env_and_above_toml() {
    let machine = Machine::new(SETTINGS);
    machine.write_here(".env", "HOST=127.0.0.2\n");
    machine.write_here("crs.toml", "host = \"127.0.0.3\"\nport = 1\nlog_level = \"warn\"\n");
    let layers = machine.gather(None, &[], Unnamed::Service);
    assert_eq!(value(&layers, "HOST"), Some("127.0.0.2"));
    assert_eq!(value(&layers, "PORT"), Some("4000"));
    assert_eq!(value(&layers, "LOG_LEVEL"), Some("warn"));
    let layers = machine.gather(None, &[("PORT", "5000")], Unnamed::Service);
    assert_eq!(value(&layers, "PORT"), Some("5000"));
    let handed: Vec<_> = layers.of(&Origin::Installed).map(|(name, _)| name).collect();
    assert_eq!(handed, ["DATA_DIR"], "what is stronger is not handed on");
}

#[test]
fn a_file_that_is_missing_or_not_for_this_user_is_passed_over() {
    let machine = Machine::new(SETTINGS);
    fs::set_permissions(machine.file(), fs::Permissions::from_mode(0o000)).expect("a mode");
    let is_kept_out = fs::read(machine.file()).is_err();
    if is_kept_out {
        let mut layers = machine.gather(None, &[], Unnamed::Service);
        assert_eq!((layers.names().count(), layers.take_mistakes().len()), (0, 0));
    }
    fs::remove_file(machine.file()).expect("the file");
    let mut layers = machine.gather(None, &[], Unnamed::Service);
    assert_eq!((layers.names().count(), layers.take_mistakes().len()), (0, 0));
}

#[test]
fn a_malformed_line_is_told_only_where_the_file_counts() {
    let machine = Machine::new("DATA_DIR={root}/service\nADMIN_PASSWORD 'hunter two\n");
    let mistakes = machine.gather(None, &[], Unnamed::Service).take_mistakes();
    assert_eq!(mistakes, [format!("{} has a line that is not NAME=VALUE", machine.file())]);
    let mut elsewhere = machine.gather(Some("./data"), &[], Unnamed::Service);
    assert!(elsewhere.take_mistakes().is_empty());
}
