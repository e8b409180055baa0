#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| recado_fuzz::number(text));
