//! The catalogue has the Chinese of everything that people read, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::{self, Found, Role};
use crate::text::help::{COMMAND, FRAME, POSSIBLE_VALUES};
use crate::text::retell::RETOLD;
use crate::text::{Language, parts};

/// Errors that no command prints, by where they stand: programs read them, or a log.
const NOT_FOR_PEOPLE: &[(&str, &str)] = &[
    ("relay-core/src/limit.rs", "answers to API clients"),
    ("relay-core/src/schedule.rs", "answers to API clients"),
    ("relay-wire/", "what is wrong with a client's request, or a provider's answer to it"),
    ("relay/src/call/unary.rs", "a fault of the program, for its log"),
    ("relay/src/failure.rs", "answers to API clients, in their protocol"),
    ("relay/src/tokens/refresh.rs", "a fault of the program, for its log"),
];

/// Where every text with words in it is for people, or is named in [`NO_TEXTS`].
const FOR_PEOPLE: &[&str] = &[
    "relay-core/src/credential.rs",
    "relay-core/src/health.rs",
    "relay-store/src/data_dir.rs",
    "relay-upstream/src/client",
    "relay-upstream/src/oauth",
    "relay/src/cli",
    "relay/src/config",
    "relay/src/live",
    "relay/src/serve",
    "relay/src/verbs",
];

/// Texts that programs read, or that are the same in every language.
const NO_TEXTS: &[&str] = &[
    "%Y-%m-%d %H:%M:%S",
    "Basic {login}",
    "Bearer {0}",
    "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n",
    "Claude Code",
    "Max open files",
    "Say: ok",
    "chmod -R go= {0}",
    "chmod 600 {0}",
    "chmod 700 {0}",
    "chown -R {owner} {path}",
    "crs account export",
    "crs account login {0}",
    "litellm {mark}",
    "org:create_api_key user:profile user:inference",
    "price list",
    "upstream words wxyz",
    "{count} B",
];

/// Texts of libraries and of the system, and single words that are put into places.
const FROM_ELSEWHERE: &[&str] = &[
    " (status {status})",
    "'{0}' exists",
    "Address already in use (os error {0})",
    "Connection refused (os error {0})",
    "No such file or directory (os error {0})",
    "No space left on device (os error {0})",
    "Permission denied (os error {0})",
    "account",
    "administrator",
    "cannot parse integer from empty string",
    "direct",
    "group",
    "invalid digit found in string",
    "key",
    "number too large to fit in target type",
    "number too small to fit in target type",
    "refused",
    "works",
    "to pass '{0}' as a value, use '{1}'",
    "error returned from database: {said}",
    "{0} is not in {least}..={most}",
];

/// What is the same in Chinese.
const SAME: &[&str] = &["Claude Code", "authorization: Bearer", "x-api-key"];

fn catalogue() -> BTreeMap<&'static str, BTreeMap<String, String>> {
    parts().map(|(part, texts)| (part, texts.into_iter().collect())).collect()
}

/// Whether an error can be read by a person, or a text is for one.
fn is_for_people(found: &Found) -> bool {
    let is_in = |place: &str| found.file.starts_with(place);
    match found.role {
        Role::Said => true,
        Role::Raised => !NOT_FOR_PEOPLE.iter().any(|(place, _)| is_in(place)),
        Role::Words => {
            FOR_PEOPLE.iter().any(|place| is_in(place)) && !NO_TEXTS.contains(&&*found.text)
        }
    }
}

/// Every text of help, where it is shown.
fn help(command: &clap::Command, texts: &mut BTreeSet<String>) {
    let about = [command.get_about(), command.get_long_about()];
    texts.extend(about.into_iter().flatten().map(ToString::to_string));
    for argument in command.get_arguments() {
        let help = [argument.get_help(), argument.get_long_help()];
        texts.extend(help.into_iter().flatten().map(ToString::to_string));
        texts.extend(argument.get_help_heading().map(ToString::to_string));
        if argument.get_action().takes_values() && !argument.is_hide_set() {
            let names = argument.get_value_names().unwrap_or_default();
            texts.extend(names.iter().map(ToString::to_string));
            let values = argument.get_possible_values();
            let values = values.iter().filter_map(|value| value.get_help());
            texts.extend(values.map(ToString::to_string));
        }
    }
    command.get_subcommands().for_each(|below| help(below, texts));
}

fn all_help() -> BTreeSet<String> {
    let mut command = crate::cli::commands(Language::English);
    command.build();
    let mut texts = BTreeSet::new();
    help(&command, &mut texts);
    texts.extend(FRAME.iter().chain(&[COMMAND, POSSIBLE_VALUES]).map(ToString::to_string));
    texts
}

/// A text without the names of its places: whoever matches a message against it has no use for them.
fn shape(text: &str) -> String {
    let mut parts = text.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shape, part| match part.split_once('}') {
        Some((_, behind)) => shape + "{}" + behind,
        None => shape + "{" + part,
    })
}

fn places(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

#[test]
fn everything_that_people_read_has_its_chinese() {
    let catalogue = catalogue();
    let said: BTreeSet<&str> =
        catalogue.values().flat_map(|texts| texts.keys().map(String::as_str)).collect();
    let retold: BTreeSet<String> =
        RETOLD.iter().flat_map(|part| catalogue[part].keys().map(|it| shape(it))).collect();
    let lacks = |found: &Found| match found.role {
        Role::Said => !said.contains(&*found.text),
        Role::Raised | Role::Words => is_for_people(found) && !retold.contains(&shape(&found.text)),
    };
    let missing: Vec<_> = sources::all().into_iter().filter(lacks).collect();
    let lines: Vec<_> = missing.iter().map(|it| format!("{}: {:?}", it.file, it.text)).collect();
    assert!(missing.is_empty(), "no Chinese for\n{}", lines.join("\n"));
    let mut help = all_help();
    help.retain(|text| !said.contains(&**text));
    assert!(help.is_empty(), "no Chinese for the help texts\n{help:#?}");
}

#[test]
fn every_entry_of_the_catalogue_is_used() {
    let found = sources::all();
    let found = found.iter().map(|found| match found.role {
        Role::Said => found.text.clone(),
        Role::Raised | Role::Words => shape(&found.text),
    });
    let mut used: BTreeSet<String> = found.collect();
    used.extend(all_help());
    used.extend(FROM_ELSEWHERE.iter().map(ToString::to_string));
    let is_used = |part: &&str, text: &String| {
        used.contains(text) || (RETOLD.contains(part) && used.contains(&shape(text)))
    };
    for (part, texts) in catalogue() {
        let unused: Vec<_> = texts.keys().filter(|text| !is_used(&part, text)).collect();
        assert!(unused.is_empty(), "nobody says these of {part}: {unused:#?}");
    }
}

#[test]
fn no_two_templates_match_the_same() {
    let catalogue = catalogue();
    let mut shapes = BTreeSet::new();
    for text in RETOLD.iter().flat_map(|part| catalogue[part].keys()) {
        assert!(shapes.insert(shape(text)), "{text} is there with other names of its places");
    }
}

#[test]
fn both_languages_have_the_same_places() {
    for (part, texts) in catalogue() {
        for (english, chinese) in &texts {
            assert_eq!(places(english), places(chinese), "{part}: {english}");
        }
    }
}

#[test]
fn chinese_is_chinese_and_the_same_everywhere() {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (part, texts) in catalogue() {
        for (english, chinese) in texts {
            assert!(english != chinese || SAME.contains(&&*english), "{part}: {english}");
            let before = all.insert(english.clone(), chinese.clone());
            assert!(before.is_none_or(|it| it == chinese), "{english} is said in two ways");
        }
    }
}

#[test]
fn what_is_excepted_is_there() {
    let all = sources::all();
    for (place, why) in NOT_FOR_PEOPLE {
        let stands = all.iter().any(|it| it.role == Role::Raised && it.file.starts_with(place));
        assert!(stands, "{place} has no errors ({why})");
    }
    for text in NO_TEXTS {
        assert!(all.iter().any(|it| it.text == *text), "{text:?} is nowhere");
    }
    for place in FOR_PEOPLE {
        assert!(all.iter().any(|it| it.file.starts_with(place)), "{place} has no texts");
    }
}
