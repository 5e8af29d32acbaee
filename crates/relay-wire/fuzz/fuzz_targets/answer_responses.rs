//! Answers of Responses: read, metered, and told to clients of every protocol.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use relay_core::endpoint::Endpoint;
use relay_core::protocol::Protocol;
use relay_wire::responses::answer::{Reader, read_whole};
use relay_wire_fuzz::answers::{check_stream, check_whole};
use relay_wire_fuzz::{choice, mutate};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::stream(data, size, max_size, seed)
});

fuzz_target!(|input: &[u8]| {
    let Some((seed, bytes)) = choice(input) else { return };
    check_stream(Protocol::Responses, Reader::default, seed, bytes);
    let asked = [Endpoint::Responses, Endpoint::Compact, Endpoint::Images];
    check_whole(&asked, read_whole(bytes).ok(), seed, bytes);
});
