//! Google's answers, bare and in envelopes: read, metered, and told to clients of every protocol.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use relay_core::endpoint::Endpoint;
use relay_core::protocol::Protocol;
use relay_wire::gemini::answer::read_whole;
use relay_wire::gemini::envelope::{answer_of, request_of};
use relay_wire_fuzz::answers::{check_stream, check_whole, client, gemini_reader, text_tools};
use relay_wire_fuzz::{choice, is_formed, mutate};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::stream(data, size, max_size, seed)
});

fuzz_target!(|input: &[u8]| {
    let Some((seed, bytes)) = choice(input) else { return };
    check_stream(Protocol::Gemini, || gemini_reader(seed), seed, bytes);
    let answer = read_whole(bytes, text_tools(), client(seed)).ok();
    check_whole(&[Endpoint::Generate, Endpoint::Embed], answer, seed, bytes);
    assert!(request_of(bytes).is_none_or(is_formed), "what is in an envelope is JSON");
    assert!(answer_of(bytes) == bytes || is_formed(answer_of(bytes)), "and so is its answer");
});
