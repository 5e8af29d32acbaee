use super::*;

fn load(environment: &[(&str, &str)], toml: &str) -> Result<Loaded, Mistakes> {
    let directory = tempfile::tempdir().expect("a directory");
    if !toml.is_empty() {
        std::fs::write(directory.path().join("crs.toml"), toml).expect("a file");
    }
    let environment = environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    Settings::load(Layers::gather([], environment, directory.path(), None))
}

#[test]
fn an_empty_environment_gives_the_contracts_defaults() {
    let settings = load(&[], "").expect("no mistakes").settings;
    assert_eq!((settings.host.to_string().as_str(), settings.port), ("0.0.0.0", 3000));
    assert_eq!(settings.data_dir, PathBuf::from("./data"));
    assert_eq!(settings.api_key_prefix, "cr_");
    assert_eq!(settings.calls.unary_deadline, Duration::from_mins(10));
    assert_eq!(settings.calls.body_bytes_max, 60 << 20);
    assert_eq!(settings.log.file_bytes_max, 10 << 20);
}

#[test]
fn flags_win_over_environment_over_dot_env_over_toml() {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).expect("a file");
    };
    write("crs.toml", "port = 1\nhost = \"127.0.0.1\"\nlog_max_files = 7\nlog_level = \"warn\"\n");
    write(".env", "PORT=2\nLOG_MAX_FILES=8\nAPI_KEY_PREFIX=env_\n");
    let environment = [("PORT", "3"), ("API_KEY_PREFIX", "")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let layers = Layers::gather([("PORT", "4".to_owned())], environment, directory.path(), None);
    let settings = Settings::load(layers).expect("no mistakes").settings;
    assert_eq!(settings.port, 4);
    assert_eq!(settings.api_key_prefix, "env_", "an empty variable is unset");
    assert_eq!(settings.log.files_max, 8);
    assert_eq!(settings.host.to_string(), "127.0.0.1");
    assert_eq!(settings.log.level, tracing::level_filters::LevelFilter::WARN);
}

#[test]
fn every_mistake_is_listed_at_once() {
    let Err(Mistakes(mistakes)) = load(
        &[("PORT", "70000"), ("TIMEZONE", "Mars/Base"), ("REDIS_URL", "redis://127.0.0.1")],
        "colour = \"blue\"\n",
    ) else {
        panic!("four mistakes pass")
    };
    insta::assert_debug_snapshot!(mistakes, @r#"
    [
        "crs.toml: unknown setting colour",
        "TIMEZONE: Mars/Base is no IANA time zone, such as Asia/Shanghai",
        "PORT: not a port (0 to 65535)",
        "REDIS_URL: several nodes are not built yet; remove it",
    ]
    "#);
}

#[test]
fn the_environment_of_an_existing_installation_is_accepted() {
    let loaded = load(
        &[
            ("TRUST_PROXY", "true"),
            ("ADMIN_USERNAME", ""),
            ("TIMEZONE_OFFSET", "8"),
            ("REDIS_HOST", "redis"),
            ("REDIS_PORT", "6379"),
            ("JWT_SECRET", "x"),
            ("NODE_ENV", "production"),
            ("LOG_MAX_SIZE", "10m"),
            ("ENABLE_CORS", "true"),
            ("CRS_COLOUR", "blue"),
        ],
        "",
    )
    .expect("no mistakes");
    insta::assert_debug_snapshot!(loaded.warnings, @r#"
    [
        "TRUST_PROXY=true is taken as loopback,private; name the proxies to be exact",
        "accepted and unused: JWT_SECRET, NODE_ENV, REDIS_HOST, REDIS_PORT",
        "unknown variable CRS_COLOUR",
    ]
    "#);
    let noon = jiff::Timestamp::from_second(0).expect("the epoch");
    let offset = loaded.settings.time_zone.to_offset(noon);
    assert_eq!(offset.seconds(), 8 * 3_600);
    assert!(loaded.settings.admin_username.is_none());
}

#[test]
fn proxies_are_taken_as_express_takes_them() {
    let read = |text: &str| load(&[("TRUST_PROXY", text)], "");
    let near = TrustedProxies::loopback_and_private();
    for text in ["true", "True", "1", "2", "16", "yes", "on"] {
        let loaded = read(text).unwrap_or_else(|mistakes| panic!("{text}: {mistakes}"));
        assert_eq!(loaded.settings.trusted_proxies, near, "{text}");
        let warning = format!(
            "TRUST_PROXY={text} is taken as loopback,private; name the proxies to be exact"
        );
        assert_eq!(loaded.warnings, [warning]);
    }
    for text in ["false", "0", "no", "off", "none", " "] {
        let loaded = read(text).unwrap_or_else(|mistakes| panic!("{text}: {mistakes}"));
        assert_eq!(loaded.settings.trusted_proxies, TrustedProxies::default(), "{text}");
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    }
    let ranges = |text: &str| read(text).expect("ranges").settings.trusted_proxies;
    assert_eq!(ranges("loopback, uniquelocal"), near);
    let link_local = TrustedProxies::parse("169.254.0.0/16,fe80::/10").expect("ranges");
    assert_eq!(ranges("linklocal"), link_local);
    for text in ["17", "300", "-1", "1,2", "truthy"] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn the_levels_of_winston_are_taken_as_the_nearest() {
    use tracing::level_filters::LevelFilter;
    let read = |text: &str| load(&[("LOG_LEVEL", text)], "");
    for (text, level, name) in [
        ("http", LevelFilter::INFO, "info"),
        ("verbose", LevelFilter::DEBUG, "debug"),
        ("silly", LevelFilter::TRACE, "trace"),
    ] {
        let loaded = read(text).expect("a level");
        assert_eq!(loaded.settings.log.level, level);
        assert_eq!(loaded.warnings, [format!("LOG_LEVEL={text} is taken as {name}")]);
    }
    for text in ["error", "warn", "info", "debug", "trace", "off"] {
        assert!(read(text).expect("a level").warnings.is_empty(), "{text}");
    }
    assert!(read("loud").is_err());
}

#[test]
fn metrics_are_read_from_an_address_and_a_port_or_from_nowhere() {
    let read = |text: &str| {
        let loaded = load(&[("METRICS_LISTEN", text)], "");
        loaded.map(|it| it.settings.metrics_listen.map(|address| address.to_string()))
    };
    let is = |text: &str| read(text).expect("an address").unwrap_or_default();
    assert_eq!(is(""), "");
    assert_eq!(is(":9100"), "0.0.0.0:9100");
    assert_eq!(is("127.0.0.1:9100"), "127.0.0.1:9100");
    assert_eq!(is("localhost:0"), "127.0.0.1:0");
    assert_eq!(is("[::1]:9100"), "[::1]:9100");
    for wrong in ["9100", "127.0.0.1", ":", ":70000", "relay:9100"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_malformed_dot_env_never_shows_its_lines() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join(".env"), "ADMIN_PASSWORD 'hunter two\n").expect("a file");
    let Err(mistakes) = Settings::load(Layers::gather([], [], directory.path(), None)) else {
        panic!("a malformed line passes")
    };
    assert!(!mistakes.to_string().contains("hunter"), "{mistakes}");
}

/// What an operator copies and edits.
const EXAMPLE: &str = include_str!("../../../../.env.example");

/// The names and values that `.env.example` shows behind a `#`.
fn example() -> Vec<(String, String)> {
    let shown = EXAMPLE.lines().filter_map(|line| line.strip_prefix('#')?.split_once('='));
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    shown
        .filter(|(name, _)| is_name(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn the_example_shows_every_setting_once_and_nothing_else() {
    let mut shown: Vec<String> = example().into_iter().map(|(name, _)| name).collect();
    shown.sort_unstable();
    let mut settings: Vec<&str> = parse::settings().collect();
    settings.sort_unstable();
    assert_eq!(shown, settings);
}

#[test]
fn the_examples_values_are_the_defaults() {
    let directory = tempfile::tempdir().expect("a directory");
    let load = |dot_env: &str| {
        std::fs::write(directory.path().join(".env"), dot_env).expect("a file");
        Settings::load(Layers::gather([], [], directory.path(), None)).expect("no mistakes")
    };
    // Where they came from is another matter.
    let values = |loaded: &Loaded| {
        let origins = BTreeMap::new();
        format!("{:#?}", Settings { origins, ..loaded.settings.clone() })
    };
    let defaults = values(&load(""));
    let line = |(name, value): (String, String)| format!("{name}={value}\n");
    let uncommented = load(&example().into_iter().map(line).collect::<String>());
    assert_eq!(values(&uncommented), defaults);
    let is_of_something_not_built = |it: &String| it.ends_with("is not built yet");
    let warnings = uncommented.warnings;
    assert!(warnings.iter().all(is_of_something_not_built), "{warnings:?}");

    let as_it_is = load(EXAMPLE);
    assert_eq!(values(&as_it_is), defaults);
    assert!(as_it_is.warnings.is_empty(), "a copy of the example sets something");
    assert_ne!(values(&load("PORT=1\n")), defaults, "nothing is compared");
}

#[test]
fn clients_are_described_in_crs_toml() {
    let toml = "port = 1\n[[clients]]\nid = \"a\"\nuser_agent = \"^tool/\"\n\
                [[clients]]\nid = \"b.2\"\nname = \"B\"\ndescription = \"d\"\nuser_agent = 'b|c'\n";
    let settings = load(&[], toml).expect("good settings").settings;
    let own: Vec<_> = settings.clients.own().iter().map(|it| (&*it.id, it.name.as_str())).collect();
    assert_eq!(own, [("a", "a"), ("b.2", "B")]);
    assert!(settings.clients.own()[0].user_agent.is_match("TOOL/1"), "case does not matter");
    assert!(load(&[], "").expect("good settings").settings.clients.own().is_empty());
}

#[test]
fn every_mistake_in_the_descriptions_of_clients_is_listed() {
    let mistakes = |toml: &str| load(&[], toml).map(drop).expect_err("mistakes").0;
    let toml = "[[clients]]\nid = \"a\"\nuser_agent = \"[\"\ncolour = 1\nshape = 2\n\
                [[clients]]\nid = \"b B\"\n\
                [[clients]]\nuser_agent = 7\n\
                [[clients]]\nid = \"claude-code\"\nuser_agent = \"x\"\n\
                [[clients]]\nid = \"codex_cli\"\nuser_agent = \"x\"\n\
                [[clients]]\nid = \"c\"\nname = \"\"\nuser_agent = \"x\"\n\
                [[clients]]\nid = \"c\"\nuser_agent = '(\\w{1000}){1000}'\n\
                [[clients]]\nid = \"d\"\nuser_agent = 'x'\n\
                [[clients]]\nid = \"d\"\nuser_agent = 'y'\n";
    insta::assert_debug_snapshot!(mistakes(toml), @r#"
    [
        "crs.toml: [[clients]] no. 1: unknown field colour",
        "crs.toml: [[clients]] no. 1: unknown field shape",
        "crs.toml: [[clients]] no. 1: user_agent is no regular expression that is taken: unclosed character class",
        "crs.toml: [[clients]] no. 2: the field user_agent is missing",
        "crs.toml: [[clients]] no. 2: an id is made of lower-case letters, digits, '_', '-' and '.', at most 64",
        "crs.toml: [[clients]] no. 3: the field id is missing",
        "crs.toml: [[clients]] no. 3: the field user_agent is not a text",
        "crs.toml: [[clients]] no. 4: claude-code is known already, by its own user-agents",
        "crs.toml: [[clients]] no. 5: codex_cli is known already, by its own user-agents",
        "crs.toml: [[clients]] no. 6: the field name is not 1 to 1000 bytes of one line",
        "crs.toml: [[clients]] no. 7: user_agent is no regular expression that is taken: Compiled regex exceeds size limit of 1048576 bytes.",
        "crs.toml: [[clients]] no. 9: the id \"d\" is taken by another",
    ]
    "#);
    for wrong in ["clients = 1\n", "[clients]\nid = \"a\"\n", "clients = \"a\"\n"] {
        assert!(mistakes(wrong)[0].contains("[[clients]]"), "{wrong}");
    }
    assert!(mistakes("clients = [1]\n")[0].contains("[[clients]]"));
    let many = "[[clients]]\nid = \"a\"\nuser_agent = \"x\"\n".repeat(101);
    assert_eq!(mistakes(&many), ["crs.toml: [[clients]] stands there more than 100 times"]);
}
