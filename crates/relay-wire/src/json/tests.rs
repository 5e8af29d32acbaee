use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

fn scan(text: &[u8]) -> Result<(), ScanError> {
    let mut scanner = Scanner::new(text);
    scanner.skip()?;
    scanner.end()
}

fn check(text: &[u8]) {
    let ours = scan(text);
    let theirs = serde_json::from_slice::<IgnoredAny>(text);
    assert_eq!(ours.is_ok(), theirs.is_ok(), "{ours:?} {theirs:?} {}", text.escape_ascii());
}

#[test]
fn the_grammar_is_kept_to_the_letter() {
    for text in [
        "0",
        "-0",
        "01",
        "-",
        "1.",
        ".5",
        "1.5e",
        "1e+9",
        "1E-0",
        "+1",
        "1e1.5",
        "-a",
        "0x1",
        "1_0",
        "true",
        "tru",
        "truex",
        "nul",
        "nan",
        "",
        " ",
        " null ",
        "\u{feff}1",
        "[]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1,2]",
        "]",
        "[",
        "[[]",
        "{}",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":1 "b":2}"#,
        r#"{"a":1,"a":2}"#,
        "{a:1}",
        "{1:1}",
        r#"{"a":1}x"#,
        r#"{"a":1} "#,
        r#"""#,
        r#""a"#,
        r#""a\"#,
        r#""\q""#,
        r#""\u12g4""#,
        r#""\u12""#,
        r#""\uD800""#,
        r#""\"""#,
        "\"a\nb\"",
        "\"a\u{7f}b\"",
        "\"\u{0}\"",
        "[1]\n\t\r ",
        "[1]\u{b}",
        "1 2",
        "//x\n1",
        "'a'",
    ] {
        check(text.as_bytes());
    }
    check(b"\"\xFF\xC0\"");
}

#[test]
fn a_fault_has_its_place() {
    assert_eq!(scan(br#"{"a":1,}"#), Err(ScanError::Syntax(7)));
    assert_eq!(scan(b"[1] 2"), Err(ScanError::Syntax(4)));
    assert_eq!(scan(b"\"ab\ncd\""), Err(ScanError::Syntax(3)));
    assert_eq!(scan(b"\"ab"), Err(ScanError::Syntax(3)));
}

#[test]
fn nesting_ends_at_its_limit() {
    let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
    assert_eq!(scan(nested(DEPTH_MAX).as_bytes()), Ok(()));
    assert_eq!(scan(nested(DEPTH_MAX + 1).as_bytes()), Err(ScanError::TooDeep));
    assert_eq!(scan(&b"[".repeat(1 << 20)), Err(ScanError::TooDeep));
    let wide = format!("[{}[]]", "[],".repeat(1_000));
    assert_eq!(scan(wide.as_bytes()), Ok(()));
}

#[test]
fn names_are_compared_as_they_are_meant() {
    let mut scanner = Scanner::new(br#""mod\u0065l" "mod\ud800""#);
    assert_eq!(&*scanner.string().unwrap().name(), b"model");
    let broken = scanner.string().unwrap();
    assert_eq!((&*broken.name(), broken.unescape()), (&br"mod\ud800"[..], None));
    assert_eq!(broken.span(), 13..24);
}

/// What a string is, read a byte at a time: its length with the quotes, and its escapes.
fn string_by_bytes(text: &[u8]) -> Result<(usize, Escapes), ScanError> {
    let mut escapes = Escapes::default();
    let mut at = 1;
    loop {
        match text.get(at) {
            Some(b'"') => return Ok((at + 1, escapes)),
            Some(b'\\') => match text.get(at + 1) {
                Some(b'u') => {
                    for digit in at + 2..at + 6 {
                        if !text.get(digit).is_some_and(u8::is_ascii_hexdigit) {
                            return Err(ScanError::Syntax(digit));
                        }
                    }
                    escapes.units += 1;
                    at += 6;
                }
                Some(byte) if br#""\/bfnrt"#.contains(byte) => {
                    escapes.short += 1;
                    at += 2;
                }
                _ => return Err(ScanError::Syntax(at + 1)),
            },
            Some(0x20..) => at += 1,
            _ => return Err(ScanError::Syntax(at)),
        }
    }
}

fn check_string(text: &[u8]) {
    let read = Scanner::new(text).string();
    let read = read.map(|quoted| (quoted.span().end, quoted.escapes()));
    assert_eq!(read, string_by_bytes(text), "{}", text.escape_ascii());
}

#[test]
fn whatever_stands_in_a_string_is_seen_at_every_offset() {
    for odd in [
        "\"",
        "\\n",
        "\\\\",
        "\\\"",
        "\\/",
        "\\u4f60",
        "\\uD83D\\uDE00",
        "\\n\\n\\t",
        "\\u12g4",
        "\\q",
        "\\",
        "\u{0}",
        "\u{1f}",
        "\n",
        "\u{7f}",
        "é",
        "你",
        "😀",
        "\u{80}",
    ] {
        for before in 0..200 {
            for after in [0, 1, 9, 80] {
                let text = format!("\"{}{odd}{}\"", "a".repeat(before), "你 b".repeat(after));
                check_string(text.as_bytes());
                check_string(&text.as_bytes()[..text.len() - 1]);
            }
        }
    }
}

/// Any JSON text, with whitespace where it may stand.
pub(crate) fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|it| it.to_string()),
        any::<i64>().prop_map(|it| it.to_string()),
        any::<f32>().prop_map(|it| serde_json::to_string(&it).unwrap()),
        any::<String>().prop_map(|it| serde_json::to_string(&it).unwrap()),
        r"(\\u[0-9a-f]{4}|\\n|[a-z 你]){0,5}".prop_map(|it| format!("\"{it}\"")),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let space = "[ \n\t\r]{0,2}";
        let spaced = (space, inner, space).prop_map(|(a, it, b)| format!("{a}{it}{b}"));
        let member = (".{0,4}", spaced.clone())
            .prop_map(|(key, value)| format!("{}:{value}", serde_json::to_string(&key).unwrap()));
        prop_oneof![
            prop::collection::vec(spaced, 0..6).prop_map(|it| format!("[{}]", it.join(","))),
            prop::collection::vec(member, 0..6).prop_map(|it| format!("{{{}}}", it.join(","))),
        ]
    })
}

proptest! {
    #[test]
    fn strings_are_read_as_by_bytes(
        parts in prop::collection::vec(
            prop_oneof![
                4 => r"[a-z éж你😀]{0,90}".prop_map(String::into_bytes),
                4 => r#"\\["\\/bfnrt]|\\u[0-9a-f]{4}"#.prop_map(String::into_bytes),
                1 => prop::collection::vec(any::<u8>(), 0..20),
            ],
            0..12,
        ),
    ) {
        check_string(&[b"\"", &parts.concat()[..], b"\""].concat());
    }

    #[test]
    fn what_serde_takes_is_taken(text in json()) {
        prop_assert_eq!(scan(text.as_bytes()), Ok(()));
    }

    #[test]
    fn what_serde_refuses_is_refused(
        text in json(),
        edits in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::option::of(prop::sample::select(
                b"{}[]\",:\\ \n0-1.eEtfnu\x01\xFF".as_slice(),
            ))),
            1..4,
        ),
    ) {
        let mut text = text.into_bytes();
        for (at, byte) in edits {
            let at = at.index(text.len() + 1);
            match byte {
                Some(byte) => text.insert(at, byte),
                None if at < text.len() => _ = text.remove(at),
                None => {}
            }
        }
        check(&text);
    }
}
