//! A scanner over JSON bytes: checks the structure and hands out positions, copies nothing.
//!
//! It accepts what serde_json accepts as a value to be ignored: the grammar to the letter, but
//! neither UTF-8 nor the pairing of surrogates is checked, and the depth is limited.

use std::borrow::Cow;
use std::ops::Range;

use plain::plain_bytes;

mod plain;

/// How deep arrays and objects may nest. Deeper ones are an attack on somebody's stack.
pub(crate) const DEPTH_MAX: usize = 128;

/// Why bytes are not taken for JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScanError {
    /// The byte at this offset cannot stand there, or the text ends there too early.
    Syntax(usize),
    /// Nested deeper than [`DEPTH_MAX`].
    TooDeep,
}

/// What a value is, told by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

/// A string as it stands in the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quoted<'a> {
    /// Offset of the opening quote.
    pub(crate) start: usize,
    /// The string with its quotes.
    raw: &'a [u8],
    escapes: Escapes,
}

/// The escapes of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Escapes {
    /// Of two characters, like `\n`: each means one ASCII character.
    pub(crate) short: usize,
    /// Of six, like `\u4f60`.
    pub(crate) units: usize,
}

impl<'a> Quoted<'a> {
    /// The string with its quotes.
    pub(crate) const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// What stands between the quotes, escapes as they are.
    pub(crate) fn inner(&self) -> &'a [u8] {
        &self.raw[1..self.raw.len() - 1]
    }

    /// How many escapes stand in it.
    pub(crate) const fn escapes(&self) -> Escapes {
        self.escapes
    }

    /// Where the string lies in the text, quotes included.
    pub(crate) const fn span(&self) -> Range<usize> {
        self.start..self.start + self.raw.len()
    }

    /// The string as the name of a member, escapes resolved: `"mod\u0065l"` is `model`. One that
    /// cannot be resolved keeps its backslashes and so is equal to no name that is looked for.
    pub(crate) fn name(&self) -> Cow<'a, [u8]> {
        match self.is_escaped().then(|| self.unescape()).flatten() {
            Some(name) => Cow::Owned(name.into_bytes()),
            None => Cow::Borrowed(self.inner()),
        }
    }

    /// Whether this is its [`name`](Self::name), without one being made.
    pub(crate) fn is(&self, name: &str) -> bool {
        if self.is_escaped() {
            *self.name() == *name.as_bytes()
        } else {
            self.inner() == name.as_bytes()
        }
    }

    /// The text; `None` if it is not UTF-8 or has half a surrogate pair.
    pub(crate) fn unescape(&self) -> Option<String> {
        if self.is_escaped() {
            return serde_json::from_slice(self.raw).ok();
        }
        str::from_utf8(self.inner()).ok().map(str::to_owned)
    }

    fn is_escaped(&self) -> bool {
        self.escapes != Escapes::default()
    }
}

/// Where the values of these members of an object stand; the last one of a name counts. The rest
/// is only passed over.
pub(crate) fn members<'a, const N: usize>(
    object: &'a [u8],
    names: [&str; N],
) -> Result<[Option<&'a [u8]>; N], ScanError> {
    members_reading(object, names, |_, scanner| scanner.skip())
}

/// The same, with `read` to read each of the values that are looked for, so that what one of them
/// says needs no second pass. It is told which of the names it is, and is at the value.
pub(crate) fn members_reading<'a, const N: usize>(
    object: &'a [u8],
    names: [&str; N],
    mut read: impl FnMut(usize, &mut Scanner<'a>) -> Result<(), ScanError>,
) -> Result<[Option<&'a [u8]>; N], ScanError> {
    let mut values = [None; N];
    let mut scanner = Scanner::new(object);
    scanner.object(|scanner, name| {
        let name = name.name();
        let wanted = names.iter().position(|wanted| wanted.as_bytes() == &*name);
        scanner.kind()?;
        let start = scanner.at();
        let Some(index) = wanted else { return scanner.skip() };
        read(index, scanner)?;
        values[index] = Some(&object[start..scanner.at()]);
        Ok::<_, ScanError>(())
    })?;
    scanner.end()?;
    Ok(values)
}

/// A position in a JSON text.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Scanner<'a> {
    /// A scanner at the start of `bytes`.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0 }
    }

    /// Offset of the next byte; after [`kind`](Self::kind), of the value's first byte.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// The bytes of a value that has been read.
    pub(crate) fn bytes_of(&self, span: Range<usize>) -> &'a [u8] {
        &self.bytes[span]
    }

    /// Skips whitespace and tells what the next value is.
    pub(crate) fn kind(&mut self) -> Result<Kind, ScanError> {
        match self.next_token() {
            Some(b'"') => Ok(Kind::String),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            _ => Err(self.syntax()),
        }
    }

    /// Reads an object. `member` is called after each name and must read its value.
    pub(crate) fn object<E: From<ScanError>>(
        &mut self,
        mut member: impl FnMut(&mut Self, Quoted<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'{')?;
        let mut empty = true;
        while !self.closes(b'}', empty)? {
            let name = self.string()?;
            self.expect(b':')?;
            member(self, name)?;
            empty = false;
        }
        Ok(())
    }

    /// Reads an array. `element` is called before each element and must read it.
    pub(crate) fn array<E: From<ScanError>>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'[')?;
        let mut empty = true;
        while !self.closes(b']', empty)? {
            element(self)?;
            empty = false;
        }
        Ok(())
    }

    /// Reads a string.
    pub(crate) fn string(&mut self) -> Result<Quoted<'a>, ScanError> {
        self.expect(b'"')?;
        let start = self.at - 1;
        let mut escapes = Escapes::default();
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Quoted { start, raw: &self.bytes[start..self.at], escapes });
                }
                Some(b'\\') => self.escape(&mut escapes)?,
                Some(0x20..) => self.at += plain_bytes(&self.bytes[self.at..]),
                _ => return Err(self.syntax()),
            }
        }
    }

    /// Reads a number, `true`, `false` or `null`.
    pub(crate) fn scalar(&mut self) -> Result<&'a [u8], ScanError> {
        let kind = self.kind()?;
        let start = self.at;
        if kind == Kind::Number {
            self.number()?;
        } else {
            let rest = &self.bytes[start..];
            let words: [&[u8]; 3] = [b"true", b"false", b"null"];
            let word = words.into_iter().find(|word| rest.starts_with(word));
            self.at += word.ok_or_else(|| self.syntax())?.len();
        }
        Ok(&self.bytes[start..self.at])
    }

    /// Reads any value and forgets it.
    pub(crate) fn skip(&mut self) -> Result<(), ScanError> {
        match self.kind()? {
            Kind::Object => self.object(|scanner, _| scanner.skip()),
            Kind::Array => self.array(Self::skip),
            Kind::String => self.string().map(drop),
            Kind::Number | Kind::Bool | Kind::Null => self.scalar().map(drop),
        }
    }

    /// Checks that nothing but whitespace is left.
    pub(crate) fn end(&mut self) -> Result<(), ScanError> {
        if self.next_token().is_some() { Err(self.syntax()) } else { Ok(()) }
    }

    fn open(&mut self, bracket: u8) -> Result<(), ScanError> {
        self.expect(bracket)?;
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(ScanError::TooDeep) } else { Ok(()) }
    }

    /// Reads what stands before the next entry: a comma, unless it is the first; or the closing
    /// bracket. Tells whether it was that.
    fn closes(&mut self, bracket: u8, empty: bool) -> Result<bool, ScanError> {
        if self.next_token() == Some(bracket) {
            self.at += 1;
            self.depth -= 1;
            return Ok(true);
        }
        if !empty {
            self.expect(b',')?;
        }
        Ok(false)
    }

    /// Reads an escape and counts it.
    fn escape(&mut self, escapes: &mut Escapes) -> Result<(), ScanError> {
        self.at += 1;
        match self.bytes.get(self.at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                escapes.short += 1;
                return Ok(());
            }
            Some(b'u') => self.at += 1,
            _ => return Err(self.syntax()),
        }
        let digits = self.bytes[self.at..].iter().take(4);
        let count = digits.take_while(|digit| digit.is_ascii_hexdigit()).count();
        self.at += count;
        escapes.units += 1;
        if count == 4 { Ok(()) } else { Err(self.syntax()) }
    }

    fn number(&mut self) -> Result<(), ScanError> {
        self.eat(b"-");
        if !self.eat(b"0") {
            self.digits()?;
        }
        if self.eat(b".") {
            self.digits()?;
        }
        if self.eat(b"eE") {
            self.eat(b"+-");
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), ScanError> {
        let count = self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(self.syntax()) } else { Ok(()) }
    }

    fn eat(&mut self, one_of: &[u8]) -> bool {
        let found = self.bytes.get(self.at).is_some_and(|byte| one_of.contains(byte));
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), ScanError> {
        if self.next_token() != Some(byte) {
            return Err(self.syntax());
        }
        self.at += 1;
        Ok(())
    }

    /// Skips whitespace and shows the byte after it.
    fn next_token(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    const fn syntax(&self) -> ScanError {
        ScanError::Syntax(self.at)
    }
}

/// Whether a server that ignores case takes `name` for `ours`, which is in lower case. Some fold all
/// of Unicode, where two letters beyond ASCII are an `s` and a `k`.
pub(crate) fn is_like(name: &[u8], ours: &str) -> bool {
    if name.is_ascii() {
        return name.eq_ignore_ascii_case(ours.as_bytes());
    }
    let folded = str::from_utf8(name).map(|name| {
        name.chars().map(|letter| match letter {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            letter => letter.to_ascii_lowercase(),
        })
    });
    folded.is_ok_and(|folded| folded.eq(ours.chars().map(|letter| letter.to_ascii_lowercase())))
}

#[cfg(test)]
pub(crate) mod tests;
