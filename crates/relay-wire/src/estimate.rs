//! A named estimate of how many tokens a text has, for when the provider did not say.

use memchr::memchr;

use crate::json::Quoted;

/// The estimator's name, to stand beside a number that it made. Other weights need another name.
pub const NAME: &str = "by-script-1";

/// How many bytes are counted at once: no more than a counter of one byte can hold.
const BLOCK_BYTES: usize = 192;

/// Characters of a text, counted by how many tokens they make.
///
/// No public tokenizer exists for the models that are metered here, so the weights are round
/// figures from what providers say of theirs: four ASCII characters a token, one Chinese,
/// Japanese or Korean character a token, two characters of any other script a token. A character
/// is classed by its first byte in UTF-8 alone: text may be cut anywhere between two calls, and
/// bytes that are not UTF-8 do no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TextTally {
    /// Characters below U+0080.
    pub ascii: u64,
    /// Characters from U+3000 on: Han, kana, hangul, full-width forms; emoji as well, which cost
    /// no less.
    pub cjk: u64,
    /// Characters between: accented Latin, Greek, Cyrillic, Arabic, the scripts of India.
    pub other: u64,
}

impl TextTally {
    /// Counts a text, either plain or as it stands between the quotes of a JSON string: an escape
    /// counts as the character that it means, a surrogate pair as one.
    pub fn add_text(&mut self, mut text: &[u8]) {
        while let Some(backslash) = memchr(b'\\', text) {
            self.add_run(&text[..backslash]);
            text = self.add_escape(&text[backslash + 1..]);
        }
        self.add_run(text);
    }

    /// The tokens of all that was counted, rounded up.
    pub const fn tokens(&self) -> u64 {
        (self.ascii + 4 * self.cjk + 2 * self.other).div_ceil(4)
    }

    /// Counts what is between the quotes of a string, as [`add_text`](Self::add_text) does. Its
    /// short escapes were counted when it was read and need not be found again: each is two ASCII
    /// characters that count as one.
    pub(crate) fn add_quoted(&mut self, quoted: &Quoted<'_>) {
        let escapes = quoted.escapes();
        if escapes.units > 0 {
            return self.add_text(quoted.inner());
        }
        self.add_run(quoted.inner());
        self.ascii -= escapes.short as u64;
    }

    /// Counts text without escapes. Most of it is ASCII, which is quicker told than counted.
    fn add_run(&mut self, run: &[u8]) {
        for block in run.chunks(BLOCK_BYTES) {
            if block.is_ascii() {
                self.ascii += block.len() as u64;
            } else {
                self.add_block(block);
            }
        }
    }

    /// Counts a block. The loop is one that compilers turn into vector code: counters of a byte each,
    /// and comparisons of signed bytes, the only ones that all processors have for many at once.
    fn add_block(&mut self, block: &[u8]) {
        let (mut ascii, mut or_cjk, mut or_other) = (0_u8, 0_u8, 0_u8);
        for byte in block {
            let byte = byte.cast_signed();
            ascii += u8::from(byte >= 0);
            or_cjk += u8::from(byte >= 0xE3_u8.cast_signed());
            or_other += u8::from(byte >= 0xC0_u8.cast_signed());
        }
        self.ascii += u64::from(ascii);
        self.cjk += u64::from(or_cjk - ascii);
        self.other += u64::from(or_other - or_cjk);
    }

    /// Counts the escape whose backslash has been read and returns what follows it.
    fn add_escape<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        let digits = text.strip_prefix(b"u").and_then(<[u8]>::first_chunk::<4>);
        let digits = digits.and_then(|digits| str::from_utf8(digits).ok());
        let Some(unit) = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()) else {
            self.ascii += 1;
            return text.get(1..).unwrap_or_default();
        };
        match unit {
            0..0x80 => self.ascii += 1,
            0x80..0x3000 => self.other += 1,
            0xDC00..0xE000 => {} // the second half of a pair
            _ => self.cjk += 1,
        }
        &text[5..]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::Scanner;

    fn tally(text: &[u8]) -> TextTally {
        let mut tally = TextTally::default();
        tally.add_text(text);
        tally
    }

    #[test]
    fn scripts_have_their_weights_and_the_sum_is_rounded_up() {
        assert_eq!(tally(b"").tokens(), 0);
        assert_eq!(tally(b"a").tokens(), 1);
        assert_eq!(tally(b"twelve chars").tokens(), 3);
        assert_eq!(tally("你好，世界".as_bytes()).tokens(), 5);
        assert_eq!(tally("привет".as_bytes()).tokens(), 3);
        assert_eq!(tally("ab 你é".as_bytes()), TextTally { ascii: 3, cjk: 1, other: 1 });
        assert_eq!(tally("ab 你é".as_bytes()).tokens(), 3);
    }

    #[test]
    fn broken_escapes_and_bytes_do_no_harm() {
        assert_eq!(tally(br"\").ascii, 1);
        assert_eq!(tally(br"\u12").ascii, 3);
        assert_eq!(tally(b"\\u\xFF\xFF\xFF\xFF").ascii, 1);
        assert_eq!(tally(br"\uD83D\uDE00"), TextTally { cjk: 1, ..TextTally::default() });
        assert_eq!(tally(b"\x80\xBF\x80").tokens(), 0);
    }

    /// The tally by its definition, a byte at a time.
    fn tally_by_bytes(text: &[u8]) -> TextTally {
        let count = |is: fn(&u8) -> bool| text.iter().filter(|byte| is(byte)).count() as u64;
        TextTally {
            ascii: count(|byte| *byte < 0x80),
            cjk: count(|byte| *byte >= 0xE3),
            other: count(|byte| (0xC0..0xE3).contains(byte)),
        }
    }

    #[test]
    fn each_byte_counts_the_same_wherever_it_stands() {
        for byte in (0..=u8::MAX).filter(|byte| *byte != b'\\') {
            for at in 0..2 * BLOCK_BYTES {
                let mut text = vec![b'a'; at + 7];
                text[at] = byte;
                assert_eq!(tally(&text), tally_by_bytes(&text), "{byte:#x} at {at}");
            }
            let text = vec![byte; 3 * BLOCK_BYTES + 1];
            assert_eq!(tally(&text), tally_by_bytes(&text), "{byte:#x}");
        }
    }

    proptest! {
        #[test]
        fn blocks_count_what_bytes_do(text in prop::collection::vec(any::<u8>(), 0..600)) {
            let text: Vec<u8> = text.into_iter().filter(|byte| *byte != b'\\').collect();
            prop_assert_eq!(tally(&text), tally_by_bytes(&text));
        }

        #[test]
        fn a_string_that_was_read_counts_as_its_text(
            inner in r#"(\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}|[ !#-\[\]-~éж你😀]{0,40}){0,20}"#,
            short in r#"(\\["\\/bfnrt]|[ !#-\[\]-~éж你😀]{0,40}){0,20}"#,
        ) {
            for inner in [inner, short] {
                let quoted = format!("\"{inner}\"");
                let mut read = TextTally::default();
                read.add_quoted(&Scanner::new(quoted.as_bytes()).string().unwrap());
                prop_assert_eq!(read, tally(inner.as_bytes()), "{}", inner);
            }
        }

        #[test]
        fn an_escaped_text_counts_as_the_plain_one(text in "[ -\\[\\]-~éж你\\PC\n]{0,300}") {
            let text = text.replace('\\', "");
            let units: Vec<String> =
                text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            prop_assert_eq!(tally(units.concat().as_bytes()), tally(text.as_bytes()));
        }

        #[test]
        fn a_cut_anywhere_changes_nothing(text in "\\PC{1,300}", cut: prop::sample::Index) {
            let text = text.replace('\\', "").into_bytes();
            let cut = cut.index(text.len() + 1);
            let mut cut_up = TextTally::default();
            cut_up.add_text(&text[..cut]);
            cut_up.add_text(&text[cut..]);
            prop_assert_eq!(cut_up, tally(&text));
        }
    }
}
