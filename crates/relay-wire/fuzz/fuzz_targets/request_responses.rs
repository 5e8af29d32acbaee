//! Requests of Responses: read, and written for every provider.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use relay_wire::responses::request::read;
use relay_wire_fuzz::{choice, mutate, requests};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::body(data, size, max_size, seed)
});

fuzz_target!(|input: &[u8]| {
    let Some((choice, body)) = choice(input) else { return };
    if let Ok(read) = read(body) {
        requests::check(read.request, choice);
    }
});
