//! Reads the texts that stand in the sources.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Literal, TokenStream, TokenTree};

/// What a text in the sources is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Said by `tr!`.
    Said,
    /// The message of an error: `#[error("…")]`, `bail!`, `context` and the like.
    Raised,
    /// Any other with words in it.
    Words,
}

/// A text in the sources.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub(super) role: Role,
    /// With places as the catalogue has them.
    pub(super) text: String,
    /// Where it stands, from the directory of the crates.
    pub(super) file: String,
}

/// Macros whose texts go to logs, or show a fault of the program.
const NOT_FOR_PEOPLE: &[&str] = &[
    "assert",
    "assert_eq",
    "assert_ne",
    "debug",
    "debug_assert",
    "error",
    "info",
    "panic",
    "todo",
    "trace",
    "unreachable",
    "warn",
];
/// Macros and methods that make an error of a text.
const RAISE: &[&str] = &["anyhow", "bail", "context", "ensure", "with_context"];

/// Every text of the programs' crates, outside of their tests.
pub(super) fn all() -> BTreeSet<Found> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the directory of crates");
    let mut found = BTreeSet::new();
    for name in ["relay", "relay-core", "relay-store", "relay-upstream", "relay-wire"] {
        let mut files = Vec::new();
        sources(&crates.join(name).join("src"), &mut files);
        for path in files {
            let text = std::fs::read_to_string(&path).expect("a source");
            let file = path.strip_prefix(crates).expect("a file of a crate").display().to_string();
            let tokens = text.parse().unwrap_or_else(|error| panic!("{file}: {error}"));
            let mut reader = Reader { file, found: &mut found };
            reader.read(tokens, Role::Words);
        }
    }
    found
}

fn sources(directory: &Path, files: &mut Vec<PathBuf>) {
    let is_test = |path: &Path| path.file_stem().is_some_and(|stem| stem == "tests");
    for entry in std::fs::read_dir(directory).expect("a directory of sources") {
        let path = entry.expect("an entry").path();
        if is_test(&path) {
            continue;
        }
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
}

struct Reader<'a> {
    file: String,
    found: &'a mut BTreeSet<Found>,
}

impl Reader<'_> {
    fn read(&mut self, tokens: TokenStream, role: Role) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at += self.step(&tokens[at..], role);
        }
    }

    /// Reads what stands first, and says how many tokens that was.
    fn step(&mut self, tokens: &[TokenTree], role: Role) -> usize {
        match tokens {
            [TokenTree::Punct(hash), TokenTree::Group(group), rest @ ..]
                if hash.as_char() == '#' && group.delimiter() == Delimiter::Bracket =>
            {
                self.attribute(group.stream());
                if group.stream().to_string().replace(' ', "") == "cfg(test)" {
                    return 2 + item(rest);
                }
                2
            }
            [TokenTree::Punct(hash), TokenTree::Punct(mark), TokenTree::Group(_), ..]
                if hash.as_char() == '#' && mark.as_char() == '!' =>
            {
                3
            }
            [TokenTree::Ident(name), TokenTree::Punct(mark), TokenTree::Group(group), ..]
                if mark.as_char() == '!' =>
            {
                self.called(&name.to_string(), group.stream(), role);
                3
            }
            [TokenTree::Ident(name), TokenTree::Group(group), ..]
                if group.delimiter() == Delimiter::Parenthesis =>
            {
                let is_raised = *name == "context" || *name == "with_context";
                if *name != "expect" {
                    self.read(group.stream(), if is_raised { Role::Raised } else { role });
                }
                2
            }
            [TokenTree::Group(group), ..] => {
                self.read(group.stream(), role);
                1
            }
            [TokenTree::Literal(literal), ..] => {
                if let Some(text) = string(literal).filter(|text| has_words(text)) {
                    self.keep(role, template(&text));
                }
                1
            }
            _ => 1,
        }
    }

    fn called(&mut self, name: &str, arguments: TokenStream, role: Role) {
        if NOT_FOR_PEOPLE.contains(&name) {
            return;
        }
        if name != "tr" {
            return self.read(arguments, if RAISE.contains(&name) { Role::Raised } else { role });
        }
        let mut arguments = arguments.into_iter();
        if let Some(TokenTree::Literal(literal)) = arguments.next() {
            self.keep(Role::Said, string(&literal).expect("tr! says a text"));
        }
        self.read(arguments.collect(), role);
    }

    fn attribute(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter();
        let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(group))) =
            (tokens.next(), tokens.next())
        else {
            return;
        };
        if name == "error"
            && let Some(TokenTree::Literal(literal)) = group.stream().into_iter().next()
            && let Some(text) = string(&literal).filter(|text| has_words(text))
        {
            self.keep(Role::Raised, template(&text));
        }
    }

    fn keep(&mut self, role: Role, text: String) {
        self.found.insert(Found { role, text, file: self.file.clone() });
    }
}

/// How many tokens the item behind an attribute has: to its body or its semicolon.
fn item(tokens: &[TokenTree]) -> usize {
    let is_end = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(mark) => mark.as_char() == ';',
        _ => false,
    };
    tokens.iter().position(is_end).map_or(tokens.len(), |end| end + 1)
}

/// Whether there is more in a text than marks and places: a letter, and a space.
fn has_words(text: &str) -> bool {
    let mut depth = 0_i32;
    let outside = text.chars().filter(|letter| {
        depth += i32::from(*letter == '{');
        let outside = depth == 0;
        depth -= i32::from(*letter == '}');
        outside
    });
    let outside: String = outside.collect();
    outside.contains(' ') && outside.contains(|letter: char| letter.is_ascii_alphabetic())
}

/// The places of a format as the catalogue has them: by name, or numbered from 0.
pub(super) fn template(format: &str) -> String {
    let mut template = String::new();
    let (mut rest, mut number) = (format, 0);
    while let Some((before, (place, behind))) =
        rest.split_once('{').and_then(|(before, after)| Some((before, after.split_once('}')?)))
    {
        let name = place.split(':').next().unwrap_or_default();
        template.push_str(before);
        if name.is_empty() {
            template += &["{", &number.to_string(), "}"].concat();
            number += 1;
        } else {
            template += &["{", name, "}"].concat();
        }
        rest = behind;
    }
    template + rest
}

/// What a literal says, if it is a string.
fn string(literal: &Literal) -> Option<String> {
    let source = literal.to_string();
    if let Some(raw) = source.strip_prefix('r') {
        return Some(raw.trim_matches('#').trim_matches('"').to_owned());
    }
    let inner = source.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::new();
    let mut letters = inner.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        match letters.next()? {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'r' => text.push('\r'),
            '\n' => while letters.next_if(|it| it.is_whitespace()).is_some() {},
            'u' => {
                let code: String = letters.by_ref().skip(1).take_while(|it| *it != '}').collect();
                text.extend(u32::from_str_radix(&code, 16).ok().and_then(char::from_u32));
            }
            'x' => drop((letters.next(), letters.next())),
            other => text.push(other),
        }
    }
    Some(text)
}
