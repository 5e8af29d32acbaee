//! Finds how far the plain characters of a JSON string go, many bytes at a time.
//!
//! Nothing here names a processor: the loops over whole chunks are such that the compiler makes
//! vector code of them for any.

/// How many bytes come before the first quote, backslash or control character, which strings must
/// escape; all of them if there is none.
///
/// Most strings are names and words, and lines of text end with an escape: the first bytes and
/// those of a chunk with an end in it are read by words of eight.
pub(super) fn plain_bytes(text: &[u8]) -> usize {
    const SHORT_WORDS: usize = 2;
    let (words, _) = text.as_chunks();
    for (at, word) in words.iter().take(SHORT_WORDS).enumerate() {
        if let Some(plain) = end_in_word(*word) {
            return at * word.len() + plain;
        }
    }
    let start = words.len().min(SHORT_WORDS) * size_of::<u64>();
    start + plain_in_text(&text[start..])
}

/// The same for a text that is likely long: lines of it by small chunks, and what has no lines by
/// larger ones, which cost less a byte, but more where the end is. It stays out of the reading of
/// short strings, which would pay for its registers.
#[inline(never)]
fn plain_in_text(text: &[u8]) -> usize {
    const LINE_BYTES: usize = 128;
    let mut plain = plain_chunks::<32>(&text[..text.len().min(LINE_BYTES)]);
    if plain == LINE_BYTES {
        plain += plain_chunks::<64>(&text[plain..]);
    }
    let (words, tail) = text[plain..].as_chunks();
    for word in words {
        if let Some(last) = end_in_word(*word) {
            return plain + last;
        }
        plain += word.len();
    }
    plain + tail.iter().position(|byte| is_end(*byte)).unwrap_or(tail.len())
}

/// How many bytes are in the chunks before the first that has an end in it.
fn plain_chunks<const N: usize>(text: &[u8]) -> usize {
    let (chunks, _) = text.as_chunks::<N>();
    chunks.iter().position(has_end).unwrap_or(chunks.len()) * N
}

/// Whether a byte ends what is plain. A flipped bit puts the quote right after the controls, so that
/// one comparison finds both.
const fn is_end(byte: u8) -> bool {
    byte ^ QUOTE_FLIP <= CONTROLS_END || byte == b'\\'
}

/// The first byte that is no control character.
const CONTROLS_END: u8 = 0x20;

/// What turns a quote into [`CONTROLS_END`], and each control character into another.
const QUOTE_FLIP: u8 = b'"' ^ CONTROLS_END;

/// Whether any byte ends what is plain. All of them are looked at, for vector code.
fn has_end<const N: usize>(chunk: &[u8; N]) -> bool {
    chunk.iter().fold(false, |found, byte| found | is_end(*byte))
}

/// How many bytes of a word come before the first that ends what is plain, if one does.
///
/// All bytes are tested at once: subtracting `n` from each borrows into the top bit of those that
/// are less than `n`. A borrow can disturb only bytes after one that is, and the first counts.
fn end_in_word(word: [u8; 8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    let each = |byte: u8| ONES * u64::from(byte);
    let less = |word: u64, than: u8| word.wrapping_sub(each(than)) & !word;
    let word = u64::from_le_bytes(word);
    let flipped = less(word ^ each(QUOTE_FLIP), CONTROLS_END + 1);
    let ends = (flipped | less(word ^ each(b'\\'), 1)) & TOPS;
    (ends != 0).then(|| (ends.trailing_zeros() / 8) as usize)
}

#[cfg(test)]
mod tests;
