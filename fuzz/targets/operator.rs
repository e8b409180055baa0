#![no_main]

libfuzzer_sys::fuzz_target!(|line: &[u8]| recado_fuzz::operator(line));
