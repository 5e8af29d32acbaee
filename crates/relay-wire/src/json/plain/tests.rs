use proptest::prelude::*;

use super::*;

/// The rule, a byte at a time.
fn plain_by_bytes(text: &[u8]) -> usize {
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    text.iter().position(ends).unwrap_or(text.len())
}

#[test]
fn each_byte_ends_what_is_plain_or_not_wherever_it_stands() {
    // Past the small chunks and the first of the large ones.
    const LENGTH: usize = 210;
    for byte in 0..=u8::MAX {
        for filler in [b'a', 0x7F, 0xA2] {
            for at in 0..LENGTH {
                let mut text = [filler; LENGTH];
                text[at] = byte;
                // Whatever follows the end must not be taken for it.
                text[at + 1..].iter_mut().step_by(2).for_each(|later| *later = b'"');
                for text in [&text[..=at], &text] {
                    assert_eq!(plain_bytes(text), plain_by_bytes(text), "{}", text.escape_ascii());
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn words_and_chunks_see_what_bytes_do(
        plain in "[a-zé你😀]{0,120}",
        rest in prop::collection::vec(any::<u8>(), 0..120),
        skip in 0..16_usize,
    ) {
        let text = [plain.as_bytes(), &rest].concat();
        let text = &text[skip.min(text.len())..];
        prop_assert_eq!(plain_bytes(text), plain_by_bytes(text));
    }
}
