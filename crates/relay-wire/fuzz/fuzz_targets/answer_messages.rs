//! Claude's answers: read, metered, and told to clients of every protocol.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use relay_core::endpoint::Endpoint;
use relay_core::protocol::Protocol;
use relay_wire::anthropic::answer::read_whole;
use relay_wire_fuzz::answers::{check_stream, check_whole, messages_reader, text_tools};
use relay_wire_fuzz::{choice, mutate};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::stream(data, size, max_size, seed)
});

fuzz_target!(|input: &[u8]| {
    let Some((seed, bytes)) = choice(input) else { return };
    check_stream(Protocol::Messages, messages_reader, seed, bytes);
    let answer = read_whole(bytes, text_tools()).ok();
    check_whole(&[Endpoint::Messages, Endpoint::CountTokens], answer, seed, bytes);
});
